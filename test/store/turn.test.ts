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

/** The processes of the database that wait for this turn, once there is one. */
async function waitingFor(turn: number): Promise<readonly number[]> {
  for (;;) {
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_locks
      where locktype = 'advisory' and classid = ${TURN_LOCK} and objid = ${turn} and not granted`.execute(ctx.db)
    if (rows.length > 0) return rows.map(({ pid }) => pid)
  }
}

async function taken(turn: number) {
  const session = await takeTurn(ctx.passDb, turn)
  assert.ok(session)
  return session
}

test('a worker writes when it is its turn, and then all that came meanwhile in one transaction (ADR 26)', async () => {
  const others = await taken(1)
  const own = createGroupCommit(1)
  const names = ['a', 'b', 'c']
  const [first = '', ...later] = names
  const written = [own.write(ctx, tx => write(tx, first))]
  await waitingFor(1)
  written.push(...later.map(name => own.write(ctx, tx => write(tx, name))))
  assert.equal((await transactionsOf(names)).size, 0)
  await others.undo()
  await Promise.all(written)
  assert.equal((await transactionsOf(names)).size, 1)
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
  const others = await taken(6)
  const own = createGroupCommit(6)
  const lost = own.write(ctx, tx => write(tx, 'lost')).catch((error: unknown) => error)
  for (const pid of await waitingFor(6)) await sql`select pg_terminate_backend(${pid})`.execute(ctx.db)
  assert.ok(isStorageTrouble(await lost))
  await others.undo()
  await own.write(ctx, tx => write(tx, 'next'))
  assert.equal((await transactionsOf(['lost', 'next'])).size, 1)
})

test('a turn leaves the time that a single request may wait for a lock as it is', async () => {
  const session = await taken(7)
  const { rows } = await sql<{ lock_timeout: string }>`show lock_timeout`.execute(session.db)
  assert.deepEqual(rows, [{ lock_timeout: '1s' }])
  await session.undo()
})
