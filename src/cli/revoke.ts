import { Argument, type Command } from 'commander'
import { z } from 'zod'
import { adminClient, readRecord } from './admin-client.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

const KINDS = ['token', 'registration', 'agent', 'client']
const HELP = `
ID is, by kind: token: its jti; registration: registration_id; agent: client_id/agent_id; client: client_id.
Registration, agent and client are final: what is revoked does not come back.`

const revokeOptions = z.object({ reason: z.string() })

export function addRevokeCommand(program: Command): void {
  program
    .command('revoke')
    .description('revoke a token, a version, an agent or a client, and all that descends from it')
    .addArgument(new Argument('<kind>', 'what kind of thing').choices(KINDS))
    .argument('<id>', 'which one')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .addHelpText('after', HELP)
    .action(async (kind: string, id: string, _options, command: Command) => {
      const session = openSession(command)
      const { reason } = revokeOptions.parse(command.opts())
      const api = await adminClient(session, 'revoke')
      const record = readRecord(await api.post('/admin/v1/revocations', { kind, id, reason }))
      session.out.result(record, recordText(record))
    })
}
