import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import {
  checkServer,
  closeDatabase,
  isStorageTrouble,
  openDatabase,
  passConnection,
  poolStats,
} from '../../src/server/store/database.ts'
import { createTestDatabase } from '../support/database.ts'

test('this server is new enough and durable (issue 2 item 3)', async context => {
  const { db, drop } = await createTestDatabase()
  context.after(drop)

  await checkServer(db, true)
})

test('production refuses a database that may lose what it acknowledged (reliability.md R2)', async context => {
  const { db, drop } = await createTestDatabase()
  context.after(drop)
  await sql`create schema pretend`.execute(db)
  await sql`create function pretend.current_setting(text) returns text language sql as
    $$ select case $1 when 'fsync' then 'off' else pg_catalog.current_setting($1) end $$`.execute(db)

  await db.connection().execute(async session => {
    await sql`set search_path = pretend, pg_catalog`.execute(session)
    await assert.rejects(checkServer(session, true), { name: 'StartRefused', message: /fsync/ })
    await checkServer(session, false)
  })
})

test('production refuses a database that commits before it has written (reliability.md R2)', async context => {
  const { db, drop } = await createTestDatabase()
  context.after(drop)

  await db.connection().execute(async session => {
    await sql`set synchronous_commit = off`.execute(session)
    await assert.rejects(checkServer(session, true), { name: 'StartRefused', message: /synchronous_commit/ })
    await checkServer(session, false)
  })
})

test('a PostgreSQL before 15 is refused (architecture.md section 1)', async context => {
  const { db, drop } = await createTestDatabase()
  context.after(drop)
  await sql`create schema pretend`.execute(db)
  await sql`create function pretend.current_setting(text) returns text language sql as
    $$ select case $1 when 'server_version_num' then '140009' else '14.9' end $$`.execute(db)

  await db.connection().execute(async session => {
    await sql`set search_path = pretend, pg_catalog`.execute(session)
    await assert.rejects(checkServer(session, false), {
      name: 'StartRefused',
      message: 'PostgreSQL 14.9 is too old: use version 15 or newer.',
    })
  })
})

test('the loss of a connection inside a transaction is an error, not the end of the process (reliability.md R10)', async context => {
  const { connection, db, drop } = await createTestDatabase()
  context.after(drop)
  const heard: unknown[] = []
  const other = openDatabase(connection, error => heard.push(error))

  const failure = await other
    .transaction()
    .execute(async tx => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
      await sql`select pg_terminate_backend(${rows[0]?.pid}, 1000)`.execute(db)
      await new Promise(resolve => setImmediate(resolve))
      await sql`select 1`.execute(tx)
    })
    .catch((error: unknown) => error)
  const { rows } = await sql<{ one: number }>`select 1 as one`.execute(other)
  await other.destroy()

  assert.equal(isStorageTrouble(failure), true)
  assert.ok(heard.length > 0)
  assert.deepEqual(rows, [{ one: 1 }])
})

test('a connection whose query hangs is given up after 2 s and not handed on (reliability.md R11)', async context => {
  const { connection, drop } = await createTestDatabase()
  context.after(drop)
  const db = openDatabase(connection)

  const failure = await db
    .connection()
    .execute(async session => {
      await sql`set statement_timeout = 0`.execute(session)
      await sql`select pg_sleep(60)`.execute(session)
    })
    .catch((error: unknown) => error)
  const { total } = poolStats(db)
  await db.destroy()

  assert.match(String(failure), /Query read timeout/)
  assert.equal(isStorageTrouble(failure), true)
  assert.equal(total, 0)
})

test('a database that is not there is storage trouble, not a bug (architecture.md section 3)', async () => {
  const connections = [
    { host: '/nonexistent', port: 5432, user: 'remit', database: 'remit' },
    { connectionString: 'postgresql://remit@127.0.0.1:1/remit' },
    { connectionString: 'postgresql://remit@localhost:1/remit' },
  ]
  for (const connection of connections) {
    const db = openDatabase(connection)
    const failure = await sql`select 1`.execute(db).catch((error: unknown) => error)
    assert.equal(isStorageTrouble(failure), true, String(failure))
    await db.destroy()
    const closed = await sql`select 1`.execute(db).catch((error: unknown) => error)
    assert.equal(isStorageTrouble(closed), true, String(closed))
  }
})

test('errors of our statements are not storage trouble, states of the database are (architecture.md section 3)', async context => {
  const { db, drop } = await createTestDatabase()
  context.after(drop)
  const raised = async (state: string) =>
    isStorageTrouble(
      await sql
        .raw(`do $$ begin raise exception 'x' using errcode = '${state}'; end $$`)
        .execute(db)
        .catch((error: unknown) => error),
    )

  for (const state of ['53100', '57014', '57P01', '40001', '40P01', '55P03', '25006', '08006', '58030', 'XX001']) {
    assert.equal(await raised(state), true, state)
  }
  for (const state of ['22021', '22P05', '23505', '42P01', '25P02', 'P0001'])
    assert.equal(await raised(state), false, state)
  assert.equal(isStorageTrouble(new Error('outer', { cause: Object.assign(new Error('x'), { code: '57P01' }) })), true)
  assert.equal(isStorageTrouble(Object.assign(new Error('no file'), { code: 'ENOENT', syscall: 'open' })), false)
  assert.equal(isStorageTrouble('57P01'), false)
})

test('closing ends every connection, also of a pool of which only sessions were taken: a process must come to its end', async t => {
  const { connection, drop } = await createTestDatabase()
  t.after(drop)
  const db = openDatabase(connection, () => {}, 'pass')
  const { client } = await passConnection(db)
  client.release()
  assert.equal(poolStats(db).total, 1)
  await closeDatabase(db)
  assert.equal(poolStats(db).total, 0)
})
