import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { migrations } from '../../migrations/index.ts'
import { migrateToLatest, pendingMigrations } from '../../src/server/store/migrate.ts'
import { createEmptyDatabase, createTestDatabase } from '../support/database.ts'

const ALL = Object.keys(migrations)

test('of two nodes that start together one migrates and the other waits (issue 2 item 3)', async context => {
  const { connection, db, drop } = await createEmptyDatabase()
  context.after(drop)
  assert.deepEqual(await pendingMigrations(db), ALL)

  const ran = await Promise.all([migrateToLatest(connection), migrateToLatest(connection)])

  assert.deepEqual(
    ran.toSorted((left, right) => left.length - right.length),
    [[], ALL],
  )
  assert.deepEqual(await pendingMigrations(db), [])
})

test('a migration may outlast the time-outs of the pool', async context => {
  const { connection, db, drop } = await createEmptyDatabase()
  context.after(drop)
  const { released } = await heldFor(db, 2_500)

  assert.deepEqual(await migrateToLatest(connection), ALL)
  await released
})

test('a schema newer than this build is refused and left alone', async context => {
  const { connection, db, drop } = await createTestDatabase()
  context.after(drop)
  await sql`insert into kysely_migration (name, timestamp) values ('999_later', '2026-11-21T00:00:00Z')`.execute(db)

  const refusal = {
    name: 'StartRefused',
    message:
      'The database has migrations that this build does not know (999_later): start the release that made them, or a newer one.',
  }
  await assert.rejects(pendingMigrations(db), refusal)
  await assert.rejects(migrateToLatest(connection), refusal)
})

/** Another session keeps the lock of the migrations for some milliseconds of the database's time. */
async function heldFor(db: Awaited<ReturnType<typeof createEmptyDatabase>>['db'], milliseconds: number) {
  const taken = Promise.withResolvers<void>()
  const released = db.connection().execute(async session => {
    await sql`set statement_timeout = 0`.execute(session)
    await sql`select pg_advisory_lock(7166000002)`.execute(session)
    taken.resolve()
    for (let part = 0; part < 5; part += 1) await sql`select pg_sleep(${milliseconds / 5_000})`.execute(session)
    await sql`select pg_advisory_unlock(7166000002)`.execute(session)
  })
  await taken.promise
  return { released }
}
