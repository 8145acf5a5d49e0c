import type { Command } from 'commander'
import { z } from 'zod'
import { adminClient, type Row, readRecord } from './admin-client.ts'
import { readObject } from './files.ts'
import { recordText } from './output.ts'
import { openSession, type Session } from './session.ts'

const EXAMPLE = `
FILE holds the members to change, in JSON or YAML; those left out stay, for example:
  max_token_lifetime: 120
"scopes" takes the place of all scopes; one that clients still name in their access is theirs no more.`

const deleteOptions = z.object({ reason: z.string() })

export function addResourceChangeCommands(resource: Command): void {
  resource
    .command('update')
    .description('change a resource; acts at the next token for it')
    .argument('<resource>', 'its URI')
    .argument('<file>', 'JSON or YAML file of the members to change, "-" for standard input')
    .addHelpText('after', EXAMPLE)
    .action(async (uri: string, file: string, _options, command: Command) => {
      const session = openSession(command)
      const body = await readObject(file)
      const api = await adminClient(session, 'admin:resources')
      show(session, readRecord(await api.patch('/admin/v1/resources', body, { resource: uri })))
    })
  resource
    .command('delete')
    .description('delete a resource for good: no more tokens for it, and its name is never given out again')
    .argument('<resource>', 'its URI')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(async (uri: string, _options, command: Command) => {
      const session = openSession(command)
      const { reason } = deleteOptions.parse(command.opts())
      const api = await adminClient(session, 'admin:resources')
      show(session, readRecord(await api.delete('/admin/v1/resources', { resource: uri, reason })))
    })
}

function show({ out }: Session, record: Row): void {
  const { clients } = record
  if (clients !== 0) out.note(`Clients that name in their access what was taken away: ${clients}.`)
  out.result(record, recordText(record))
}
