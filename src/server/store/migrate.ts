import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { migrations } from '../../../migrations/index.ts'
import type { Connection } from './database.ts'
import type { Database } from './schema.ts'
import { StartRefused } from './start-refused.ts'

/** Key of the session lock under which one node migrates while the others wait. */
const MIGRATION_LOCK = 7_166_000_002
const WAIT_SECONDS = 60

/**
 * Brings the schema to this build's, each migration in a transaction, under an advisory lock: of nodes that start
 * together one migrates and the others wait. Returns the names it ran. Its session has no statement time-out, because
 * a migration may be long. Throws StartRefused on a newer schema or when the lock stays taken for 60 s.
 */
export async function migrateToLatest(connection: Connection, report: (line: string) => void = () => {}) {
  const pool = new pg.Pool({
    ...connection,
    max: 1,
    connectionTimeoutMillis: 5_000,
    lock_timeout: WAIT_SECONDS * 1_000,
    application_name: 'remit migrate',
  })
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  try {
    return await db.connection().execute(session => migrateInSession(session, report))
  } finally {
    await db.destroy()
  }
}

/** Names of the migrations that this build has and the database has not, in order. Throws StartRefused on a newer schema. */
export async function pendingMigrations(db: Kysely<Database>): Promise<string[]> {
  const known = Object.keys(migrations)
  const applied = await appliedMigrations(db)
  const unknown = applied.filter(name => !known.includes(name))
  if (unknown.length > 0) {
    throw new StartRefused(
      `The database has migrations that this build does not know (${unknown.join(', ')}): start the release that made them, or a newer one.`,
    )
  }
  return known.filter(name => !applied.includes(name))
}

async function migrateInSession(session: Kysely<Database>, report: (line: string) => void): Promise<string[]> {
  await takeLock(session)
  const pending = await pendingMigrations(session)
  const migrator = new Migrator({ db: session, provider: { getMigrations: async () => migrations } })
  for (const name of pending) {
    report(`migrating: ${name}`)
    const { error } = await migrator.migrateUp()
    if (error) throw error
  }
  // The lock ends with the session, also when this process dies.
  return pending
}

async function takeLock(session: Kysely<Database>): Promise<void> {
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK}::bigint)`.execute(session)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === '55P03')) throw error
    throw new StartRefused(
      `Another process has been migrating this database for ${WAIT_SECONDS} seconds: wait until it is done and start again.`,
    )
  }
}

async function appliedMigrations(db: Kysely<Database>): Promise<string[]> {
  const { rows: tables } = await sql<{ exists: boolean }>`
    select to_regclass('kysely_migration') is not null as exists`.execute(db)
  if (!tables[0]?.exists) return []
  // A handful of rows, by primary key.
  const { rows } = await sql<{ name: string }>`
    select name from kysely_migration order by name limit 10000`.execute(db)
  return rows.map(row => row.name)
}
