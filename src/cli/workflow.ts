import type { Command } from 'commander'
import { z } from 'zod'
import { readRecord } from './admin-client.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { recordText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession } from './session.ts'
import { addWorkflowCreateCommand } from './workflow-create.ts'
import { addWorkflowDecideCommands } from './workflow-decide.ts'
import { addWorkflowShowCommands } from './workflow-show.ts'

const deregisterOptions = z.object({ app: z.string().optional(), close: z.boolean().default(false) })

export function addWorkflowCommand(program: Command): void {
  const workflow = program.command('workflow').description('the workflows of a client: steps in order')
  addWorkflowCreateCommand(workflow)
  addWorkflowShowCommands(workflow)
  addWorkflowDecideCommands(workflow)
  addCredentialOptions(workflow.command('deregister'))
    .description('end a workflow: nothing is minted for it; its agents stay bound by it')
    .argument('<workflow_id>')
    .option('--app <client>', 'the client whose workflow it is, where --client registers for it (registers_for)')
    .option('--close', 'end its open executions too; without this they forbid it')
    .addHelpText('after', '\nTo set an agent free first, register a version without it, or grant it outside_workflow.')
    .action(deregisterWorkflow)
}

async function deregisterWorkflow(workflow_id: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const credential = await readCredential(command)
  const api = await registrationClient(session, credential, 'register:workflow')
  const { app = credential.client_id, close } = deregisterOptions.parse(command.opts())
  const query = new URLSearchParams({ workflow_id, app_id: app, ...(close && { close: 'true' }) })
  const record = readRecord(await api.post(`/intent/deregister/workflow?${query}`, {}))
  session.out.result(record, recordText(record))
}
