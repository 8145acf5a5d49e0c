import { sql } from 'kysely'
import type { Context } from '../context.ts'

export type CountedSince = { readonly counted: string; readonly minute_at: Date; readonly n: number }

/** Sums over all nodes: of this minute, and of the one before. */
export type CountedByAll = { readonly counted: string; readonly n: number; readonly before: number }

const MINUTE = 60_000

/**
 * Adds what this process counted, and returns what all have, in one statement (primary key). Sorted, so that two nodes
 * never wait for each other crosswise.
 */
export async function addCounts(ctx: Context, counts: readonly CountedSince[]): Promise<readonly CountedByAll[]> {
  const sorted = counts.toSorted((a, b) => (a.counted < b.counted ? -1 : 1))
  const { rows } = await sql<CountedByAll>`
    insert into request_count as total (counted, minute_at, n)
    select counted, minute_at, n from unnest(
      ${sorted.map(({ counted }) => counted)}::text[],
      ${sorted.map(({ minute_at }) => minute_at.toISOString())}::timestamptz[],
      ${sorted.map(({ n }) => n)}::integer[]
    ) as added (counted, minute_at, n)
    on conflict (counted, minute_at) do update set n = total.n + excluded.n
    returning counted, n, coalesce((
      select earlier.n from request_count as earlier
      where earlier.counted = total.counted and earlier.minute_at = total.minute_at - interval '1 minute'
    ), 0) as before`.execute(ctx.db)
  return rows
}

/** Removes what no node looks at any more, a bounded piece at a time (index request_count_by_minute). */
export async function purgeCounts(ctx: Context): Promise<void> {
  const dead = ctx.db
    .selectFrom('request_count')
    .select(['counted', 'minute_at'])
    .where('minute_at', '<', new Date(ctx.now().getTime() - 3 * MINUTE))
    .orderBy('minute_at')
    .limit(5000)
  await ctx.db
    .deleteFrom('request_count')
    .where(eb => eb(eb.refTuple('counted', 'minute_at'), 'in', dead.$asTuple('counted', 'minute_at')))
    .execute()
}
