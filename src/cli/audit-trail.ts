import { z } from 'zod'
import { auditLeafHash } from '../protocol/audit-leaf.ts'
import { type AuditRowView, auditRowSchema } from '../protocol/audit-views.ts'
import { firstTimeIdAt } from '../protocol/time-id.ts'
import type { AuditQuery } from './audit-filter.ts'
import { CliFailure } from './failure.ts'

const pageSchema = z.object({ items: z.array(auditRowSchema), next_cursor: z.string().nullable() })
export type TrailPage = z.output<typeof pageSchema>
export type TrailReader = (query: AuditQuery) => Promise<unknown>

/**
 * A row has its id before its transaction commits, so that it can appear behind rows with later ids: at most by the
 * time limits of a statement and a lock (2 s and 1 s), and clocks that differ between nodes. Whoever follows the trail
 * reads so much of it again.
 */
export const OVERLAP_MILLISECONDS = 10_000
const LARGEST_PAGE = 1_000

/** One page of GET /admin/v1/audit. Throws CliFailure for another form. */
export async function readTrail(read: TrailReader, query: AuditQuery): Promise<TrailPage> {
  const page = pageSchema.safeParse(await read(query))
  if (page.success) return page.data
  throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
}

/** Every row after an id, oldest first, page by page. */
export async function* rowsAfter(read: TrailReader, filter: AuditQuery, start: string): AsyncGenerator<AuditRowView[]> {
  for (let after = start; ; ) {
    const { items, next_cursor } = await readTrail(read, { ...filter, after, limit: String(LARGEST_PAGE) })
    yield items
    if (items.length < LARGEST_PAGE || next_cursor === null) return
    after = next_cursor
  }
}

/** How far somebody followed: the time of the newest row, and which rows of the overlap were shown. */
export type Followed = { readonly newest: Date; readonly shown: ReadonlySet<string> }

/**
 * Where following begins, after a page that was shown (oldest first): what the overlap holds before it is old, what it
 * holds besides is new. `start` counts where the page is empty.
 */
export async function followAfter(
  read: TrailReader,
  filter: AuditQuery,
  page: readonly AuditRowView[],
  start: Date,
): Promise<{ rows: AuditRowView[]; followed: Followed }> {
  const { newest, shown } = followedTo(page, page.length === 0 ? start : new Date(0))
  const next = await newRows(read, filter, { newest, shown })
  const [oldest] = page
  return { ...next, rows: next.rows.filter(({ id }) => oldest === undefined || id > oldest.id) }
}

function followedTo(rows: readonly AuditRowView[], start: Date): Followed {
  const newest = rows.reduce((latest, { at }) => (new Date(at) > latest ? new Date(at) : latest), start)
  const from = newest.getTime() - OVERLAP_MILLISECONDS
  return { newest, shown: new Set(rows.filter(({ at }) => new Date(at).getTime() >= from).map(({ id }) => id)) }
}

/** What is new since the last look, late commits too, each row once. */
export async function newRows(
  read: TrailReader,
  filter: AuditQuery,
  { newest, shown }: Followed,
): Promise<{ rows: AuditRowView[]; followed: Followed }> {
  const seen: AuditRowView[] = []
  const start = firstTimeIdAt(new Date(newest.getTime() - OVERLAP_MILLISECONDS))
  for await (const items of rowsAfter(read, filter, start)) seen.push(...items)
  return { rows: seen.filter(({ id }) => !shown.has(id)), followed: followedTo(seen, newest) }
}

/** Whether the row is the one that its hash was made of. */
export function hasItsHash({ leaf_hash, ...leaf }: AuditRowView): boolean {
  return auditLeafHash(leaf).toString('hex') === leaf_hash
}
