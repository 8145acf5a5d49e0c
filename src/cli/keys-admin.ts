import type { Command } from 'commander'
import { adminClient, listAll } from './admin-client.ts'
import { addKeysRotateCommand } from './keys-rotate.ts'
import { tableText } from './output.ts'
import { openSession } from './session.ts'

const COLUMNS = ['kid', 'alg', 'state', 'created_at', 'active_at', 'published_until', 'retired_at']

/** remit keys list, rotate. */
export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('the keys with which the server signs tokens')
  keys
    .command('list')
    .description('list the keys, retired and revoked ones too, the newest first')
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const rows = await listAll(await adminClient(session, 'admin:keys'), '/admin/v1/keys')
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  addKeysRotateCommand(keys)
}
