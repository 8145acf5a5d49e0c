import type { Command } from 'commander'
import { adminClient, listAll, readPage, readRecord } from './admin-client.ts'
import { readObject } from './files.ts'
import { recordText, tableText } from './output.ts'
import { addResourceChangeCommands } from './resource-change.ts'
import { openSession } from './session.ts'

const COLUMNS = ['resource', 'token_profile', 'signing_alg', 'max_token_lifetime', 'allow_bearer', 'status']
const EXAMPLE = `
FILE holds the resource, in JSON or YAML, for example:
  resource: https://api.example.test
  scopes: [{ name: read }, { name: write }]`

export function addResourceCommand(program: Command): void {
  const resource = program.command('resource').description('the APIs that tokens are made for')
  resource
    .command('create')
    .description('create a resource')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addHelpText('after', EXAMPLE)
    .action(async (file: string, _options, command: Command) => {
      const session = openSession(command)
      const body = await readObject(file)
      const api = await adminClient(session, 'admin:resources')
      const record = readRecord(await api.post('/admin/v1/resources', body))
      session.out.result(record, recordText(record))
    })
  resource
    .command('list')
    .description('list the resources')
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const rows = await listAll(await adminClient(session, 'admin:resources'), '/admin/v1/resources')
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  resource
    .command('show')
    .description('show one resource')
    .argument('<resource>', 'its URI')
    .action(async (uri: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'admin:resources')
      const [item] = readPage(await api.get('/admin/v1/resources', { resource: uri })).items
      const record = readRecord(item)
      session.out.result(record, recordText(record))
    })
  addResourceChangeCommands(resource)
}
