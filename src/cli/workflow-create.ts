import type { Command } from 'commander'
import type { z } from 'zod'
import {
  type WorkflowAnswer,
  workflowAnswerSchema,
  workflowBatchAnswerSchema,
  workflowRegistrationSchema,
} from '../protocol/workflow.ts'
import { addCredentialOptions, addForeignTokenOption, readCredential, readForeignToken } from './credential.ts'
import { CliFailure } from './failure.ts'
import { readObject } from './files.ts'
import { recordText, tableText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession, type Session } from './session.ts'

const EXAMPLE = `
FILE holds the workflow, in JSON or YAML, for example:
  workflow_id: greeting
  steps:
    - { step_id: look, agent_id: hello, required: true }
    - { step_id: gate, approval_gate: true, dependencies: [look] }
    - { step_id: speak, agent_id: hello, dependencies: [gate], requires_approval: true }
Several files are registered all or none.`

/** `remit workflow create`: one workflow, or several at once, all or none. */
export function addWorkflowCreateCommand(workflow: Command): void {
  addForeignTokenOption(addCredentialOptions(workflow.command('create')))
    .description('register workflows, or new versions of them')
    .argument('<file...>', 'JSON or YAML files, "-" for standard input')
    .addHelpText('after', EXAMPLE)
    .action(createWorkflows)
}

async function createWorkflows(files: readonly string[], _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const credential = await readCredential(command)
  const definitions: object[] = []
  for (const file of files) definitions.push({ app_id: credential.client_id, ...(await readObject(file)) })
  const api = await registrationClient(session, credential, 'register:workflow', await readForeignToken(command))
  const [only, ...others] = definitions
  if (others.length === 0) {
    const answer = known(workflowAnswerSchema, await api.post('/intent/register/workflow', only))
    session.out.result(answer, recordText(answer))
    return noteOutcome(session, definitions, [answer])
  }
  const request = { workflow_definitions: definitions }
  const batch = known(workflowBatchAnswerSchema, await api.post('/intent/batch_register/workflow', request))
  session.out.result(batch, tableText(['workflow_id', 'version', 'status'], batch.workflows))
  noteOutcome(session, definitions, batch.workflows)
}

function known<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
}

/** An agent that a step names is bound from then on, which whoever mints for it without a workflow must know. */
function noteOutcome({ out }: Session, definitions: readonly object[], answers: readonly WorkflowAnswer[]): void {
  const agents = new Set<string>()
  for (const definition of definitions) {
    const { workflow_id, app_id, steps } = known(workflowRegistrationSchema, definition)
    const answer = answers.find(given => given.workflow_id === workflow_id)
    if (answer?.status === 'pending') {
      const approve = `remit workflow approve ${app_id} ${workflow_id} --version ${answer.version}`
      out.note(`Workflow ${workflow_id} is pending: an administrator runs "${approve}".`)
    } else {
      for (const { agent_id } of steps) if (agent_id !== undefined) agents.add(agent_id)
    }
  }
  if (agents.size === 0) return
  const bound = [...agents].sort().join(', ')
  out.note(`Only within a workflow (--workflow, --step), unless their grant says outside_workflow, now mint: ${bound}`)
}
