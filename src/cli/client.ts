import { type Command, Option } from 'commander'
import { z } from 'zod'
import type { HolderKey } from '../protocol/sign.ts'
import { adminClient, listAll, type Row, readRecord } from './admin-client.ts'
import { readObject, withNewFile } from './files.ts'
import { withNewKeyFile } from './keys.ts'
import { recordText, tableText } from './output.ts'
import { openSession, type Session } from './session.ts'

const COLUMNS = ['client_id', 'kind', 'token_endpoint_auth_method', 'owner', 'status', 'client_name']
const EXAMPLE = `
FILE holds the client, in JSON or YAML, for example:
  client_id: notes-app
  client_name: Notes
  owner: user:local:anna
  kind: app
  token_endpoint_auth_method: client_secret_basic
  grant_types: [client_credentials, agent_checksum]
  access:
    - { resource: "http://127.0.0.1:4000", scope: "register:intent register:workflow generate:intent-token" }
    - { resource: "https://api.example.test", scope: read write }
The first resource is the issuer itself: without it the client registers no agent. Others are made with "remit resource
create". In production it also needs "policies: { require_approval: true }".`

const createOptions = z.object({ generateKey: z.string().optional(), secretFile: z.string().optional() })

export function addClientCommand(program: Command): void {
  const client = program.command('client').description('the applications that host agents')
  client
    .command('create')
    .description('create a client; its secret is shown this once')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addOption(
      new Option(
        '--generate-key <file>',
        'make a P-256 key in this new file (0600), its public half for the client',
      ).conflicts('secretFile'),
    )
    .option('--secret-file <file>', 'write the secret to this new file (0600) instead of showing it')
    .addHelpText('after', EXAMPLE)
    .action(createClient)
  client
    .command('list')
    .description('list the clients')
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const rows = await listAll(await adminClient(session, 'admin:clients'), '/admin/v1/clients')
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  client
    .command('show')
    .description('show one client')
    .argument('<client_id>')
    .action(async (client_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'admin:clients')
      const record = readRecord(await api.get(`/admin/v1/clients/${encodeURIComponent(client_id)}`))
      session.out.result(record, recordText(record))
    })
}

async function createClient(file: string, _options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { generateKey, secretFile } = createOptions.parse(command.opts())
  const body = await readObject(file)
  const api = await adminClient(session, 'admin:clients')
  const create = async (key?: HolderKey) =>
    readRecord(await api.post('/admin/v1/clients', { ...body, ...(key && { jwks: { keys: [key.publicJwk] } }) }))
  if (generateKey !== undefined) return show(session, await withNewKeyFile(generateKey, create))
  if (secretFile === undefined) return show(session, await create())
  await withNewFile(secretFile, async secret => {
    const { client_secret, ...record } = await create()
    if (typeof client_secret === 'string') await secret.write(`${client_secret}\n`)
    show(session, { ...record, secret_file: secretFile })
  })
}

function show({ out }: Session, record: Row): void {
  if (record.client_secret !== undefined) out.note('The secret is not shown again: keep it now.')
  out.result(record, recordText(record))
}
