import { type Kysely, sql } from 'kysely'
import { epochSeconds } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { CLOCKS_AGREE_SECONDS } from './clock.ts'
import type { Connection } from './database.ts'
import { readServerState } from './diagnosis.ts'
import { inLongSession } from './long-session.ts'
import {
  boundOf,
  missingOf,
  type Partition,
  parsePartition,
  partitionName,
  partitionPlans,
  passedOf,
  TABLES,
} from './partition-plan.ts'
import type { Database } from './schema.ts'
import { StartRefused } from './start-refused.ts'

/** Key of the lock under which partitions are made and dropped, by one node at a time. */
const PARTITIONS_LOCK = 7_166_000_003

/** Beyond that, listing is cut short: years of daily audit, far past what a plan makes. */
const MOST_PARTITIONS = 10_000

/** Every partition of ours (index pg_inherits_parent_index). */
export async function listPartitions(db: Kysely<Database>): Promise<readonly Partition[]> {
  const { rows } = await sql<{ name: string }>`
    select part.relname as name from pg_inherits join pg_class as part on part.oid = pg_inherits.inhrelid
      where pg_inherits.inhparent = any(
        select to_regclass(name)::oid from unnest(${[...TABLES]}::text[]) as name)
      order by part.relname limit ${MOST_PARTITIONS}`.execute(db)
  return rows.flatMap(({ name }) => parsePartition(name) ?? [])
}

export type Instant = { readonly now: Date; readonly auditDays: number | undefined }

/** `ensurePartitions` before anything needs them: as long as another node that starts needs, this one waits. */
export async function preparePartitions(connection: Connection, instant: Instant): Promise<void> {
  await inLongSession(connection, 'remit partitions', session => ensurePartitions(session, instant))
}

/**
 * Makes the partitions that are missing from now on. Any number of nodes may ask at once: one makes them, the others find
 * them made; nobody who reads or writes waits. Throws StartRefused where our clock is not the database's, because a range
 * in the wrong place is worse than none.
 * @returns those that it made
 */
export async function ensurePartitions(db: Kysely<Database>, instant: Instant): Promise<readonly Partition[]> {
  if ((await missingPartitions(db, instant)).length === 0) return []
  await requireAgreement(db, instant.now)
  return await db.transaction().execute(async tx => {
    await sql`select pg_advisory_xact_lock(${PARTITIONS_LOCK}::bigint)`.execute(tx)
    const missing = await missingPartitions(tx, instant)
    for (const partition of missing) await addPartition(tx, partition)
    return missing
  })
}

/**
 * Drops the partitions that nobody can need any more, oldest first. Where one is not let go at once it is left for the
 * next turn: those who write wait behind whoever asks. Throws like `ensurePartitions`.
 * @returns those that it dropped
 */
export async function dropPartitions(db: Kysely<Database>, instant: Instant): Promise<readonly Partition[]> {
  const existing = await listPartitions(db)
  const now = epochSeconds(instant.now)
  const passed = partitionPlans(instant.auditDays).flatMap(plan => passedOf(plan, existing, now))
  if (passed.length === 0) return []
  await requireAgreement(db, instant.now)
  const dropped: Partition[] = []
  for (const partition of passed) if (await dropPartition(db, partition)) dropped.push(partition)
  return dropped
}

/** A node's turn: makes what is ahead, then drops what has passed. */
export async function keepPartitions(ctx: Context): Promise<void> {
  const instant = { now: ctx.now(), auditDays: ctx.config.auditDays }
  const made = await ensurePartitions(ctx.db, instant)
  if (made.length > 0) ctx.log.debug({ partitions: made.map(partitionName) }, 'made partitions')
  const dropped = await dropPartitions(ctx.db, instant)
  if (dropped.length > 0) ctx.log.info({ partitions: dropped.map(partitionName) }, 'dropped partitions')
}

/** What has to be made now; with `overdueOf` what a running server should have made. */
export async function missingPartitions(
  db: Kysely<Database>,
  { now, auditDays }: Instant,
  missing: typeof missingOf = missingOf,
): Promise<readonly Partition[]> {
  const existing = await listPartitions(db)
  return partitionPlans(auditDays).flatMap(plan => missing(plan, existing, epochSeconds(now)))
}

/** Makes one partition; the functions are those of migration 004_partitions, because definitions take no parameters. */
export async function addPartition(db: Kysely<Database>, partition: Partition): Promise<void> {
  const { table, from, to } = partition
  await sql`select remit_add_partition(${table}::text, ${partitionName(partition)}::text,
    ${boundOf(table, from)}::text, ${boundOf(table, to)}::text)`.execute(db)
}

/** Drops one partition within a tenth of a second, or not at all. @returns whether it did */
export async function dropPartition(db: Kysely<Database>, partition: Partition): Promise<boolean> {
  try {
    return await db.transaction().execute(async tx => {
      const { rows } = await sql<{ locked: boolean }>`
        select pg_try_advisory_xact_lock(${PARTITIONS_LOCK}::bigint) as locked`.execute(tx)
      if (rows[0]?.locked !== true) return false
      await sql`set local lock_timeout = '100ms'`.execute(tx)
      await sql`drop table if exists ${sql.table(partitionName(partition))}`.execute(tx)
      return true
    })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE) return false
    throw error
  }
}

const LOCK_NOT_AVAILABLE = '55P03'

/** Two clocks must agree before a range of time is made, or is gone for ever. */
async function requireAgreement(db: Kysely<Database>, now: Date): Promise<void> {
  const { clock } = await readServerState(db)
  const seconds = Math.abs(clock.getTime() - now.getTime()) / 1000
  if (seconds <= CLOCKS_AGREE_SECONDS) return
  throw new StartRefused(
    `The clocks of this machine and of the database differ by ${Math.round(seconds)} s, so no partition is made or dropped: set both by NTP.`,
  )
}
