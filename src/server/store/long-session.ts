import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Connection } from './database.ts'
import type { Database } from './schema.ts'

export const LOCK_WAIT_SECONDS = 60

/** One connection for work that may be long, and so without the time-outs of requests: migrations, backups. */
export async function inLongSession<T>(
  connection: Connection,
  application_name: string,
  fn: (session: Kysely<Database>) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({
    ...connection,
    max: 1,
    connectionTimeoutMillis: 5_000,
    lock_timeout: LOCK_WAIT_SECONDS * 1_000,
    application_name,
  })
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  try {
    return await db.connection().execute(fn)
  } finally {
    await db.destroy()
  }
}
