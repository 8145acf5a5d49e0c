import type { Command } from 'commander'
import { adminClient, listAll, readRecord } from './admin-client.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { CliFailure } from './failure.ts'
import { readObject } from './files.ts'
import { recordText, tableText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession } from './session.ts'

const COLUMNS = ['workflow_id', 'version', 'status', 'registered_at']
const EXAMPLE = `
FILE holds the workflow, in JSON or YAML, for example:
  workflow_id: greeting
  steps:
    - { step_id: look, agent_id: hello, required: true }
    - { step_id: speak, agent_id: hello, dependencies: [look] }`

export function addWorkflowCommand(program: Command): void {
  const workflow = program.command('workflow').description('the workflows of a client: steps in order')
  addCredentialOptions(workflow.command('create'))
    .description('register a workflow, or a new version of it')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addHelpText('after', EXAMPLE)
    .action(async (file: string, _options, command: Command) => {
      const session = openSession(command)
      const definition = await readObject(file)
      const credential = await readCredential(command)
      const api = await registrationClient(session, credential, 'register:workflow')
      const body = { app_id: credential.client_id, ...definition }
      const record = readRecord(await api.post('/intent/register/workflow', body))
      session.out.result(record, recordText(record))
    })
  workflow
    .command('list')
    .description('list the workflows of a client')
    .argument('<client_id>')
    .action(async (client_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'approve:agents')
      const rows = await listAll(api, `/admin/v1/workflows/${encodeURIComponent(client_id)}`)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  workflow
    .command('show')
    .description('show one workflow with its steps')
    .argument('<client_id>')
    .argument('<workflow_id>')
    .action(async (client_id: string, workflow_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'approve:agents')
      const rows = await listAll(api, `/admin/v1/workflows/${encodeURIComponent(client_id)}`)
      const record = rows.find(row => row.workflow_id === workflow_id)
      if (!record) throw new CliFailure('not_found', 'The client has no workflow of this workflow_id.')
      session.out.result(record, recordText(record))
    })
}
