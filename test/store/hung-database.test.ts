import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Context } from '../../src/server/context.ts'
import { closeDatabase, openDatabase } from '../../src/server/store/database.ts'
import { createGroupCommit } from '../../src/server/store/group-commit.ts'
import { isReadTimeout } from '../../src/server/store/storage-trouble.ts'
import { together } from '../../src/server/store/together.ts'
import { openWriteSession } from '../../src/server/store/write-session.ts'
import { startTestApp } from '../support/app.ts'
import { createTestDatabase } from '../support/database.ts'
import { startRelay } from '../support/tcp-relay.ts'

const app = await startTestApp()
const database = await createTestDatabase()
const relay = await startRelay(database.connection)
const passDb = openDatabase({ connectionString: relay.url }, () => {}, 'pass')
const ctx = { ...app.ctx, passDb }
after(async () => {
  relay.thaw()
  await closeDatabase(passDb)
  await relay.close()
  await database.drop()
})

const read = together(10, async ({ db }: Pick<Context, 'db' | 'meeting'>, inputs: readonly number[]) => {
  await sql`select 1`.execute(db)
  return inputs
})

/** @returns why it failed, and after how many milliseconds */
async function failureOf(work: Promise<unknown>) {
  const began = performance.now()
  const cause = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  return { cause, ms: performance.now() - began }
}

test('nobody waits for two time-outs of a database that hangs, writing or reading, and then all is as before (R11)', async () => {
  const commits = createGroupCommit()
  const write = () => failureOf(commits.write(ctx, async () => {}))
  const ask = () => failureOf(read({ db: passDb, meeting: commits.reads }, 1))
  // Connections that were good once are those that are waited for.
  const sessions = await Promise.all([1, 2, 3, 4, 5].map(() => openWriteSession(passDb)))
  for (const { close } of sessions) close()
  relay.freeze()
  const first = [write(), ask()]
  await sleep(1_000)
  // Of the writes a second one is under way beside the first; the third waits, and so does a second read.
  const second = write()
  const waiting = [write(), ask()]
  for (const { cause } of await Promise.all([...first, second, ...waiting])) {
    assert.ok(isReadTimeout(cause), String(cause))
  }
  const { ms: oneTimeOut } = await second
  for (const { ms } of await Promise.all(waiting)) assert.ok(ms < oneTimeOut, `${ms} of ${oneTimeOut} ms`)
  relay.thaw()
  assert.deepEqual([(await write()).cause, (await ask()).cause], [undefined, undefined])
})
