import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { migrations } from '../../../migrations/index.ts'
import type { Connection } from './database.ts'
import { inLongSession, LOCK_WAIT_SECONDS } from './long-session.ts'
import type { Database } from './schema.ts'
import { StartRefused } from './start-refused.ts'

/** Key of the session lock under which one node migrates while the others wait. */
const MIGRATION_LOCK = 7_166_000_002

/**
 * Brings the schema to this build's, or to the migration `last`, each migration in a transaction, under an advisory
 * lock: of nodes that start together one migrates and the others wait. Returns the names it ran. Throws StartRefused on
 * a newer schema or when the lock stays taken for 60 s.
 */
export async function migrateToLatest(
  connection: Connection,
  report: (line: string) => void = () => {},
  last?: string,
): Promise<string[]> {
  return await inLongSession(connection, 'remit migrate', session => migrateInSession(session, report, last))
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

/** Whether all of this build's migrations are there. More may be: the release after this one expands and takes nothing. */
export async function isMigrated(db: Kysely<Database>): Promise<boolean> {
  const applied = await appliedMigrations(db)
  return Object.keys(migrations).every(name => applied.includes(name))
}

async function migrateInSession(
  session: Kysely<Database>,
  report: (line: string) => void,
  last: string | undefined,
): Promise<string[]> {
  await takeLock(session)
  const pending = (await pendingMigrations(session)).filter(name => last === undefined || name <= last)
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
      `Another process has been migrating this database for ${LOCK_WAIT_SECONDS} seconds: wait until it is done and start again.`,
    )
  }
}

/** Names of the migrations that a database has, in order; none where it has no schema of ours. */
export async function appliedMigrations(db: Kysely<Database>): Promise<string[]> {
  const { rows: tables } = await sql<{ exists: boolean }>`
    select to_regclass('kysely_migration') is not null as exists`.execute(db)
  if (!tables[0]?.exists) return []
  // A handful of rows, by primary key.
  const { rows } = await sql<{ name: string }>`
    select name from kysely_migration order by name limit 10000`.execute(db)
  return rows.map(row => row.name)
}
