import { type Command, Option } from 'commander'
import { z } from 'zod'
import { revocationAnswerSchema } from '../protocol/revocation.ts'
import { adminClient, listAll, readRecord } from './admin-client.ts'
import { addClientCreateCommand } from './client-create.ts'
import { clientPath } from './client-path.ts'
import { addClientSecretCommand } from './client-secret.ts'
import { addClientUpdateCommand } from './client-update.ts'
import { recordText, tableText } from './output.ts'
import { coveredText } from './revoke.ts'
import { openSession } from './session.ts'

const COLUMNS = ['client_id', 'kind', 'token_endpoint_auth_method', 'owner', 'status', 'client_name']

const listOptions = z.object({
  owner: z.string().optional(),
  kind: z.string().optional(),
  status: z.string().optional(),
})
const deleteOptions = z.object({ reason: z.string() })

export function addClientCommand(program: Command): void {
  const client = program.command('client').description('the applications that host agents')
  addClientCreateCommand(client)
  client
    .command('list')
    .description('list the clients; deleted ones only with --status deleted')
    .option('--owner <owner>', 'of this owner')
    .addOption(new Option('--kind <kind>').choices(['app', 'service', 'operator']))
    .addOption(new Option('--status <status>').choices(['active', 'revoked', 'deleted']))
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const { owner, kind, status } = listOptions.parse(command.opts())
      const filter = { ...(owner && { owner }), ...(kind && { kind }), ...(status && { status }) }
      const rows = await listAll(await adminClient(session, 'admin:clients'), '/admin/v1/clients', filter)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  client
    .command('show')
    .description('show one client')
    .argument('<client_id>')
    .action(async (client_id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'admin:clients')
      const record = readRecord(await api.get(clientPath(client_id)))
      session.out.result(record, recordText(record))
    })
  addClientUpdateCommand(client)
  addClientSecretCommand(client)
  client
    .command('delete')
    .description('delete a client for good, with all that descends from it; its name is never given out again')
    .argument('<client_id>')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(async (client_id: string, _options, command: Command) => {
      const session = openSession(command)
      const { reason } = deleteOptions.parse(command.opts())
      const api = await adminClient(session, 'admin:clients')
      const record = readRecord(await api.delete(clientPath(client_id), { reason }))
      const { revocation, ...client } = record
      const covered = revocationAnswerSchema.safeParse(revocation)
      const text = covered.success ? ['', coveredText(covered.data)] : []
      session.out.result(record, [recordText(client), ...text].join('\n'))
    })
}
