import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import type { AuditRowView } from '../protocol/audit-views.ts'
import { adminClient, readRecord } from './admin-client.ts'
import { addExportCommand } from './audit-export.ts'
import { type AuditQuery, addFilterOptions, readFilter } from './audit-filter.ts'
import { followAfter, newRows, readTrail, type TrailReader } from './audit-trail.ts'
import { lineText, recordText, tableText } from './output.ts'
import { openSession, type Session } from './session.ts'

const COLUMNS = ['at', 'action', 'outcome', 'reason', 'actor', 'owner', 'client_id', 'agent_id', 'jti', 'id'] as const
const POLL_MILLISECONDS = 2_000

const tailOptions = z.object({ limit: z.int(), follow: z.boolean().default(false) })

export function addAuditCommand(program: Command): void {
  const audit = program.command('audit').description('what the server did and refused')
  addFilterOptions(audit.command('tail'))
    .description('show the newest entries, oldest first')
    .option('--limit <n>', 'how many, up to 1000', readLimit, 20)
    .option('--follow', 'go on with what happens next; with --json one entry a line')
    .action(tail)
  addFilterOptions(audit.command('search'))
    .description('show entries by client, agent, reason, time …, newest first')
    .option('--limit <n>', 'how many, up to 1000', readLimit, 50)
    .action(search)
  audit
    .command('show')
    .description('show one entry with its details')
    .argument('<id>', 'its id')
    .action(async (id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'audit:read')
      const record = readRecord(await api.get(`/admin/v1/audit/${encodeURIComponent(id)}`))
      session.out.result(record, recordText(record))
    })
  addExportCommand(audit)
}

async function tail(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { limit, follow } = tailOptions.parse(command.opts())
  const { filter, read } = await opened(session, command)
  const start = session.now()
  const { items } = await readTrail(read, { ...filter, limit: String(limit) })
  const rows = items.toReversed()
  if (!follow) return session.out.result(rows, tableText(COLUMNS, rows.map(shown)))
  for (const row of rows) writeLine(session, row)
  await followFrom(session, read, filter, rows, start)
}

async function search(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { limit } = tailOptions.parse(command.opts())
  const { filter, read } = await opened(session, command)
  const { items, next_cursor } = await readTrail(read, { ...filter, limit: String(limit) })
  session.out.result(items, tableText(COLUMNS, items.map(shown)))
  if (next_cursor !== null) session.out.note('There are more: raise --limit, or narrow --since and --until.')
}

/** Until the process is ended. */
async function followFrom(
  session: Session,
  read: TrailReader,
  filter: AuditQuery,
  rows: readonly AuditRowView[],
  start: Date,
): Promise<never> {
  for (let next = await followAfter(read, filter, rows, start); ; next = await newRows(read, filter, next.followed)) {
    for (const row of next.rows) writeLine(session, row)
    await sleep(POLL_MILLISECONDS)
  }
}

async function opened(session: Session, command: Command): Promise<{ filter: AuditQuery; read: TrailReader }> {
  const filter = readFilter(session, command)
  const api = await adminClient(session, 'audit:read')
  return { filter, read: query => api.get('/admin/v1/audit', query) }
}

/** With the person who answers for an act beside the client that did it. */
function shown(row: AuditRowView): AuditRowView & { owner: unknown } {
  return { ...row, owner: row.details.acting_owner ?? null }
}

function writeLine({ out }: Session, row: AuditRowView): void {
  const line = shown(row)
  out.result(row, lineText(COLUMNS.map(column => line[column])))
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit
  throw new InvalidArgumentError('It is a number from 1 to 1000.')
}
