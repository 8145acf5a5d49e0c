import { type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'

/** The database's own clock: measured against ours, never the time of a decision (reliability.md R14). */
export async function readDatabaseClock(db: Kysely<Database>): Promise<Date> {
  const { rows } = await sql<{ clock: Date }>`select clock_timestamp() as clock`.execute(db)
  const [row] = rows
  if (!row) throw new Error('The database did not say what time it is.')
  return row.clock
}
