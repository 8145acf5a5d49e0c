import { type Command, InvalidArgumentError, Option } from 'commander'
import { z } from 'zod'
import { ENTRY_KINDS } from '../protocol/revocation.ts'
import { adminClient, listAll, readPage } from './admin-client.ts'
import { tableText } from './output.ts'
import { openSession } from './session.ts'

const COLUMNS = ['at', 'kind', 'id', 'reason', 'revoked_by', 'ends_at', 'lifted_at']

const PATH = '/admin/v1/revocations'

const listOptions = z.object({ limit: z.int(), all: z.boolean().default(false), kind: z.string().optional() })

export function addRevocationCommand(program: Command): void {
  const revocation = program.command('revocation').description('what was revoked; "remit revoke" revokes')
  revocation
    .command('list')
    .description('list the newest revocations; they are kept until a day after they ended')
    .option('--limit <n>', 'how many, up to 200', readLimit, 50)
    .option('--all', 'every one that is kept')
    .addOption(
      new Option(
        '--kind <kind>',
        'only those of this kind; a workflow stands here as its executions and tokens',
      ).choices(ENTRY_KINDS),
    )
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const { limit, all, kind } = listOptions.parse(command.opts())
      const api = await adminClient(session, 'revoke')
      const filter = { ...(kind !== undefined && { kind }) }
      if (all) {
        const rows = await listAll(api, PATH, { ...filter, limit: '200' })
        return session.out.result(rows, tableText(COLUMNS, rows))
      }
      const { items, next_cursor } = readPage(await api.get(PATH, { ...filter, limit: String(limit) }))
      session.out.result(items, tableText(COLUMNS, items))
      if (next_cursor) session.out.note('There are older ones: --all shows every one that is kept.')
    })
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 200) return limit
  throw new InvalidArgumentError('It is a number from 1 to 200.')
}
