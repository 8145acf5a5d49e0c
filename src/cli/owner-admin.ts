import type { Command } from 'commander'
import { z } from 'zod'
import { adminClient, listAll, readRecord } from './admin-client.ts'
import { recordText, tableText } from './output.ts'
import { openSession } from './session.ts'

const COLUMNS = ['owner', 'clients', 'operators']
const transferOptions = z.object({ from: z.string(), to: z.string(), reason: z.string() })

export function addOwnerCommand(program: Command): void {
  const owner = program.command('owner').description('who answers for clients')
  owner
    .command('list')
    .description('list the owners, and how many clients each has')
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const rows = await listAll(await adminClient(session, 'admin:clients'), '/admin/v1/owners')
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  owner
    .command('transfer')
    .description('give every client of one owner to another, who is not yourself')
    .requiredOption('--from <owner>', 'the owner until now, as user:local:anna')
    .requiredOption('--to <owner>', 'the owner from now on')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const body = transferOptions.parse(command.opts())
      const api = await adminClient(session, 'admin:clients')
      const record = readRecord(await api.post('/admin/v1/owners/transfer', body))
      session.out.result(record, recordText(record))
    })
}
