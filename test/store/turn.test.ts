import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { createGroupCommit } from '../../src/server/store/group-commit.ts'
import { isStorageTrouble } from '../../src/server/store/storage-trouble.ts'
import { atCommit } from '../../src/server/store/together.ts'
import { TURN_LOCK, takeTurn } from '../../src/server/store/turn.ts'
import { startTestApp } from '../support/app.ts'

const { ctx } = await startTestApp()

await sql`create table turned (name text primary key, transaction text not null)`.execute(ctx.db)

const write = atCommit(80, (names: readonly string[]) => {
  return sql`insert into turned select name, pg_current_xact_id()::text from unnest(${[...names]}::text[]) as name`
})

async function transactionsOf(names: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ transaction: string }>`
    select transaction from turned where name = any(${[...names]}::text[])`.execute(ctx.db)
  return new Set(rows.map(({ transaction }) => transaction))
}

/** The process of the database in which `writing` waits for this turn; undefined where it waited in vain and is done. */
async function waiterFor(turn: number, writing: Promise<unknown>): Promise<number | undefined> {
  let isDone = false
  writing.finally(() => {
    isDone = true
  })
  while (!isDone) {
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_locks
      where locktype = 'advisory' and classid = ${TURN_LOCK} and objid = ${turn} and not granted`.execute(ctx.db)
    for (const { pid } of rows) return pid
  }
  return undefined
}

/** A turn is waited for for a tenth of a second, in which a busy machine may not have looked: then once more. */
async function untilSeen(attempt: (n: number) => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 20; n += 1) if (await attempt(n)) return
  assert.fail('Nobody was ever seen waiting.')
}

async function taken(turn: number) {
  const session = await takeTurn(ctx.passDb, turn)
  assert.ok(session)
  return session
}

test('a worker writes when it is its turn, and then all that came meanwhile in one transaction (ADR 26)', async () => {
  const own = createGroupCommit(1)
  await untilSeen(async n => {
    const others = await taken(1)
    const names = [`a${n}`, `b${n}`, `c${n}`]
    const [first = '', ...later] = names
    const writing = own.write(ctx, tx => write(tx, first))
    const isWaiting = (await waiterFor(1, writing)) !== undefined
    const written = later.map(name => own.write(ctx, tx => write(tx, name)))
    await others.undo()
    await Promise.all([writing, ...written])
    assert.equal((await transactionsOf(names)).size, isWaiting ? 1 : 2)
    return isWaiting
  })
})

test('nodes take no turns with each other', async () => {
  const others = await taken(2)
  await createGroupCommit(3).write(ctx, tx => write(tx, 'of another node'))
  await others.undo()
})

test('a worker that stalls at its turn holds up the others of its node for a tenth of a second, and fails none (ADR 26)', async () => {
  const others = await taken(4)
  const own = createGroupCommit(4)
  await own.write(ctx, tx => write(tx, 'beside'))
  assert.equal((await transactionsOf(['beside'])).size, 1)
  assert.equal(await takeTurn(ctx.passDb, 4), undefined)
  await others.undo()
})

test('what comes while the own batch stalls at its turn goes beside it', async () => {
  const own = createGroupCommit(5)
  const { promise: began, resolve: begin } = Promise.withResolvers<void>()
  const { promise: goesOn, resolve: goOn } = Promise.withResolvers<void>()
  const stalls = own.write(ctx, async () => {
    begin()
    await goesOn
  })
  await began
  await own.write(ctx, tx => write(tx, 'beside the own'))
  goOn()
  await stalls
})

test('a database that goes while a worker waits for its turn fails what waits as storage in doubt, and the next is served', async () => {
  const own = createGroupCommit(6)
  await untilSeen(async n => {
    const others = await taken(6)
    const writing = own.write(ctx, tx => write(tx, `lost${n}`)).catch((error: unknown) => error)
    const pid = await waiterFor(6, writing)
    if (pid !== undefined) await sql`select pg_terminate_backend(${pid})`.execute(ctx.db)
    const lost = await writing
    await others.undo()
    await own.write(ctx, tx => write(tx, `next${n}`))
    if (lost === undefined) return false
    assert.ok(isStorageTrouble(lost))
    assert.equal((await transactionsOf([`lost${n}`, `next${n}`])).size, 1)
    return true
  })
})

test('a turn leaves the time that a single request may wait for a lock as it is', async () => {
  const session = await taken(7)
  const { rows } = await sql<{ lock_timeout: string }>`show lock_timeout`.execute(session.db)
  assert.deepEqual(rows, [{ lock_timeout: '1s' }])
  await session.undo()
})
