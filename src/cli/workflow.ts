import type { Command } from 'commander'
import { z } from 'zod'
import { readRecord } from './admin-client.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { CliFailure } from './failure.ts'
import { readObject } from './files.ts'
import { recordText, tableText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession } from './session.ts'
import { addWorkflowDecideCommands } from './workflow-decide.ts'
import { addWorkflowShowCommands } from './workflow-show.ts'

const EXAMPLE = `
FILE holds the workflow, in JSON or YAML, for example:
  workflow_id: greeting
  steps:
    - { step_id: look, agent_id: hello, required: true }
    - { step_id: speak, agent_id: hello, dependencies: [look] }
Several files are registered all or none.`

const batchSchema = z.object({ workflows: z.array(z.record(z.string(), z.unknown())) })

export function addWorkflowCommand(program: Command): void {
  const workflow = program.command('workflow').description('the workflows of a client: steps in order')
  addCredentialOptions(workflow.command('create'))
    .description('register workflows, or new versions of them')
    .argument('<file...>', 'JSON or YAML files, "-" for standard input')
    .addHelpText('after', EXAMPLE)
    .action(createWorkflows)
  addWorkflowShowCommands(workflow)
  addWorkflowDecideCommands(workflow)
  addCredentialOptions(workflow.command('deregister'))
    .description('end a workflow: nothing is minted for it; its agents stay bound by it')
    .argument('<workflow_id>')
    .addHelpText('after', '\nTo set an agent free first, register a version without it, or grant it outside_workflow.')
    .action(deregisterWorkflow)
}

async function createWorkflows(files: readonly string[], _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const credential = await readCredential(command)
  const definitions: object[] = []
  for (const file of files) definitions.push({ app_id: credential.client_id, ...(await readObject(file)) })
  const api = await registrationClient(session, credential, 'register:workflow')
  const [only, ...others] = definitions
  if (others.length === 0) {
    const record = readRecord(await api.post('/intent/register/workflow', only))
    return session.out.result(record, recordText(record))
  }
  const answer = await api.post('/intent/batch_register/workflow', { workflow_definitions: definitions })
  const batch = batchSchema.safeParse(answer)
  if (!batch.success) {
    throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
  }
  session.out.result(batch.data, tableText(['workflow_id', 'version', 'status'], batch.data.workflows))
}

async function deregisterWorkflow(workflow_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const credential = await readCredential(command)
  const api = await registrationClient(session, credential, 'register:workflow')
  const query = new URLSearchParams({ workflow_id, app_id: credential.client_id })
  const record = readRecord(await api.post(`/intent/deregister/workflow?${query}`, {}))
  session.out.result(record, recordText(record))
}
