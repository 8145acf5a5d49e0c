import { type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'

/** A node whose clock differs from the database's by more mints nothing, and neither makes nor drops partitions (reliability.md R14). */
export const CLOCKS_AGREE_SECONDS = 30

/** The database's own clock: measured against ours, never the time of a decision (reliability.md R14). */
export async function readDatabaseClock(db: Kysely<Database>): Promise<Date> {
  const { rows } = await sql<{ clock: Date }>`select clock_timestamp() as clock`.execute(db)
  const [row] = rows
  if (!row) throw new Error('The database did not say what time it is.')
  return row.clock
}
