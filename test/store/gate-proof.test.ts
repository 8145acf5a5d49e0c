import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { openDatabase } from '../../src/server/store/database.ts'
import { GATE_LOCK } from '../../src/server/store/gate.ts'
import { proveAdvisoryLocks } from '../../src/server/store/gate-proof.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

test('two sessions prove that the lock excludes, also while others prove it (protocol.md section 9)', async context => {
  const { db, drop } = await createTestDatabase()
  context.after(drop)

  await Promise.all([proveAdvisoryLocks(db), proveAdvisoryLocks(db), proveAdvisoryLocks(db)])
})

test('a start does not wait for the gate, nor hold it up (protocol.md section 9)', async context => {
  const { db, drop } = await createTestDatabase()
  context.after(drop)

  await db.transaction().execute(async revocation => {
    await sql`select pg_advisory_xact_lock(${GATE_LOCK}::bigint)`.execute(revocation)
    await proveAdvisoryLocks(db)
  })
})

/** A database whose own functions stand before those of Postgres, as in a cluster that only pretends. */
async function pretending(database: TestDatabase, ...functions: string[]) {
  await sql`create schema pretend`.execute(database.db)
  for (const name of functions) {
    const answer = name.includes('try') ? 'boolean language sql as $$ select true $$' : 'void language sql as $$ $$'
    await sql.raw(`create function pretend.${name}(bigint) returns ${answer}`).execute(database.db)
  }
  const [{ name = '' } = {}] = (await sql<{ name: string }>`select current_database() as name`.execute(database.db))
    .rows
  await sql.raw(`alter database ${name} set search_path = pretend, public, pg_catalog`).execute(database.db)
  return openDatabase(database.connection)
}

for (const functions of [
  ['pg_try_advisory_xact_lock', 'pg_try_advisory_xact_lock_shared'],
  ['pg_advisory_xact_lock', 'pg_advisory_xact_lock_shared'],
  ['pg_advisory_xact_lock_shared'],
  ['pg_try_advisory_xact_lock_shared'],
]) {
  test(`a database where ${functions.join(' and ')} lock nothing is refused (protocol.md section 9)`, async context => {
    const database = await createTestDatabase()
    context.after(database.drop)
    const db = await pretending(database, ...functions)

    await assert.rejects(proveAdvisoryLocks(db), { name: 'StartRefused', message: /^Advisory locks do not exclude/ })

    await db.destroy()
  })
}
