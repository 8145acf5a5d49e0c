import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { adminClient, readPage } from './admin-client.ts'
import { tableText } from './output.ts'
import { openSession } from './session.ts'

const COLUMNS = ['at', 'kind', 'id', 'reason', 'revoked_by', 'ends_at', 'lifted_at']

const listOptions = z.object({ limit: z.int() })

export function addRevocationCommand(program: Command): void {
  const revocation = program.command('revocation').description('what was revoked; "remit revoke" revokes')
  revocation
    .command('list')
    .description('list the newest revocations; they are kept until a day after they ended')
    .option('--limit <n>', 'how many, up to 200', readLimit, 50)
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const { limit } = listOptions.parse(command.opts())
      const api = await adminClient(session, 'revoke')
      const { items } = readPage(await api.get('/admin/v1/revocations', { limit: String(limit) }))
      session.out.result(items, tableText(COLUMNS, items))
    })
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 200) return limit
  throw new InvalidArgumentError('It is a number from 1 to 200.')
}
