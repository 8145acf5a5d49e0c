import type { Command } from 'commander'
import { z } from 'zod'
import type { AuditRowView } from '../protocol/audit-views.ts'
import { firstTimeIdAt } from '../protocol/time-id.ts'
import { adminClient } from './admin-client.ts'
import { type AuditQuery, addTimeOptions, readFilter } from './audit-filter.ts'
import { hasItsHash, OVERLAP_MILLISECONDS, readTrail, rowsAfter, type TrailReader } from './audit-trail.ts'
import { CliFailure } from './failure.ts'
import { withNewFile } from './files.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

export type ExportSummary = {
  readonly rows: number
  /** Rows whose hash was made again from their content and is the same. */
  readonly verified: number
  /** Ids of the others: these rows were changed after they were written. */
  readonly mismatches: readonly string[]
  readonly first_id: string | null
  readonly last_id: string | null
  /** Nothing older can be missing; what is newer may have been committing while it was read. */
  readonly complete_until: string | null
}

export function addExportCommand(audit: Command): void {
  addTimeOptions(audit.command('export'))
    .description('write the trail in JSON lines, oldest first, with the hash of each row checked')
    .argument('<file>', 'a new file (0600), or "-" for standard output')
    .action(async (file: string, _options, command: Command) => {
      const session = openSession(command)
      const range = readFilter(session, command)
      const api = await adminClient(session, 'audit:read')
      const read: TrailReader = query => api.get('/admin/v1/audit', query)
      const summary = await (file === '-'
        ? exportTrail(read, range, writeOut)
        : withNewFile(file, ({ write }) => exportTrail(read, range, write)))
      const shown = { file, ...summary }
      if (file === '-') session.out.note(recordText(shown))
      else session.out.result(shown, recordText(shown))
      refuseChanged(summary)
    })
}

/**
 * Every row from `since` up to the newest at the start (or `until`), in the order of their ids. The last ten seconds
 * are read twice, so that a row that was committing at the first look is in its place.
 */
export async function exportTrail(
  read: TrailReader,
  { since, until }: AuditQuery,
  write: (lines: string) => Promise<unknown>,
): Promise<ExportSummary> {
  const { items } = await readTrail(read, { limit: '1', ...(until !== undefined && { until }) })
  const [newest] = items
  if (newest === undefined) return summaryOf(createTally())
  const end = new Date(newest.at)
  const overlap = new Date(end.getTime() - OVERLAP_MILLISECONDS)
  const begin = new Date(z.string().optional().parse(since) ?? 0)
  const range = { until: new Date(end.getTime() + 1).toISOString() }
  const tally = createTally()
  const last = new Map<string, AuditRowView>()
  for await (const rows of rowsAfter(read, range, firstTimeIdAt(begin))) {
    await writeRows(rows.filter(({ at }) => new Date(at) < overlap))
    for (const row of rows) if (new Date(row.at) >= overlap) last.set(row.id, row)
  }
  const again = firstTimeIdAt(begin > overlap ? begin : overlap)
  for await (const rows of rowsAfter(read, range, again)) for (const row of rows) last.set(row.id, row)
  await writeRows([...last.values()].sort((one, other) => (one.id < other.id ? -1 : 1)))
  return { ...summaryOf(tally), complete_until: overlap.toISOString() }

  async function writeRows(rows: readonly AuditRowView[]): Promise<void> {
    if (rows.length === 0) return
    for (const row of rows) count(tally, row)
    await write(rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  }
}

type Tally = { rows: number; mismatches: string[]; first_id: string | null; last_id: string | null }

function createTally(): Tally {
  return { rows: 0, mismatches: [], first_id: null, last_id: null }
}

function count(tally: Tally, row: AuditRowView): void {
  tally.rows += 1
  tally.first_id ??= row.id
  tally.last_id = row.id
  if (!hasItsHash(row)) tally.mismatches.push(row.id)
}

function summaryOf({ rows, mismatches, first_id, last_id }: Tally): ExportSummary {
  return { rows, verified: rows - mismatches.length, mismatches, first_id, last_id, complete_until: null }
}

function refuseChanged({ mismatches }: ExportSummary): void {
  if (mismatches.length === 0) return
  const named = mismatches.slice(0, 5).join(', ')
  throw new CliFailure('audit_row_changed', `${mismatches.length} rows are not what was written: ${named}.`, {
    next: 'Keep the export, and find out who writes to the table audit_event beside the server.',
  })
}

async function writeOut(lines: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(lines, error => (error ? reject(error) : resolve()))
  })
}
