import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { adminClient, type Row, readPage } from './admin-client.ts'
import { tableText } from './output.ts'
import type { ProtectedClient } from './protected-client.ts'
import { openSession, type Session } from './session.ts'

const COLUMNS = ['at', 'action', 'outcome', 'reason', 'actor', 'client_id', 'agent_id', 'jti']
const POLL_MILLISECONDS = 2_000

const tailOptions = z.object({ limit: z.int(), client: z.string().optional(), follow: z.boolean().default(false) })

export function addAuditCommand(program: Command): void {
  const audit = program.command('audit').description('what the server did and refused')
  audit
    .command('tail')
    .description('show the newest entries, oldest first')
    .option('--limit <n>', 'how many, up to 200', readLimit, 20)
    .option('--client <id>', 'only entries about this client')
    .option('--follow', 'go on with what happens next; with --json one entry a line')
    .action(tail)
}

async function tail(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { limit, client, follow } = tailOptions.parse(command.opts())
  const api = await adminClient(session, 'audit:read')
  const filter = { limit: String(limit), ...(client !== undefined && { client_id: client }) }
  const { items, next_cursor } = readPage(await api.get('/admin/v1/audit', filter))
  const rows = items.toReversed()
  if (!follow) return session.out.result(rows, tableText(COLUMNS, rows))
  for (const row of rows) writeLine(session, row)
  await followFrom(session, api, filter, next_cursor ?? undefined)
}

/** Until the process is ended. */
async function followFrom(
  session: Session,
  api: ProtectedClient,
  filter: Readonly<Record<string, string>>,
  start: string | undefined,
): Promise<never> {
  for (let after = start; ; await sleep(POLL_MILLISECONDS)) {
    const { items, next_cursor } = readPage(await api.get('/admin/v1/audit', { ...filter, ...(after && { after }) }))
    for (const row of items) writeLine(session, row)
    after = next_cursor ?? after
  }
}

function writeLine({ out }: Session, row: Row): void {
  const shown = COLUMNS.map(column => row[column]).filter(value => value !== null && value !== undefined)
  out.result(row, shown.join('  '))
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 200) return limit
  throw new InvalidArgumentError('It is a number from 1 to 200.')
}
