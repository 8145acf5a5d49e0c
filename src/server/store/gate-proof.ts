import { type Kysely, sql } from 'kysely'
import { GATE_LOCK } from './gate.ts'
import type { Database } from './schema.ts'
import { StartRefused } from './start-refused.ts'

/**
 * Two sessions prove that the advisory lock of the revocation gate excludes on this database (protocol.md section 9):
 * some poolers and Postgres-compatible clusters accept the call and lock nothing. Throws StartRefused.
 */
export async function proveAdvisoryLocks(db: Kysely<Database>): Promise<void> {
  const excludes = await db.transaction().execute(one => db.transaction().execute(two => locksExclude(one, two)))
  if (!excludes) {
    throw new StartRefused(
      'Advisory locks do not exclude on this database, so a revocation could be overtaken: connect to the primary of a PostgreSQL 15 or newer, directly or through a pooler in session or transaction mode.',
    )
  }
}

async function locksExclude(one: Kysely<Database>, two: Kysely<Database>): Promise<boolean> {
  const pid = await backendPid(one)
  if (pid === (await backendPid(two))) return false
  // A key of its own for each proof: neither traffic nor a second node that starts now is in the way.
  const key = ((BigInt(GATE_LOCK) % 2n ** 31n) * 2n ** 32n + BigInt(pid)).toString()
  await sql`savepoint before_lock`.execute(one)
  await sql`select pg_advisory_xact_lock_shared(${key}::bigint)`.execute(one)
  const besideMint = [await mint(two, key), await revoke(two, key)]
  await sql`rollback to savepoint before_lock`.execute(one)
  await sql`select pg_advisory_xact_lock(${key}::bigint)`.execute(one)
  const besideRevocation = [await mint(two, key), await revoke(two, key)]
  await sql`rollback to savepoint before_lock`.execute(one)
  const afterwards = await revoke(two, key)
  return [...besideMint, ...besideRevocation, afterwards].join() === 'true,false,false,false,true'
}

async function backendPid(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
  return rows[0]?.pid ?? 0
}

/** Tries the lock as a mint would take it, and lets go. */
async function mint(db: Kysely<Database>, key: string): Promise<boolean> {
  return await attempt(db, sql`select pg_try_advisory_xact_lock_shared(${key}::bigint) as granted`)
}

/** Tries the lock as a revocation would take it, and lets go. */
async function revoke(db: Kysely<Database>, key: string): Promise<boolean> {
  return await attempt(db, sql`select pg_try_advisory_xact_lock(${key}::bigint) as granted`)
}

async function attempt(db: Kysely<Database>, lock: ReturnType<typeof sql>): Promise<boolean> {
  await sql`savepoint before_attempt`.execute(db)
  const { rows } = await sql<{ granted: boolean }>`${lock}`.execute(db)
  await sql`rollback to savepoint before_attempt`.execute(db)
  return rows[0]?.granted === true
}
