import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Context } from '../../src/server/context.ts'
import { Undone } from '../../src/server/store/group-commit.ts'
import { claimReplays } from '../../src/server/store/replay.ts'
import { atCommit, inTurn, together } from '../../src/server/store/together.ts'
import { startTestApp } from '../support/app.ts'

const { ctx, clock } = await startTestApp()

await sql`create table written (name text primary key, transaction text not null)`.execute(ctx.db)

/** Writes names, and tells in which transaction. */
const write = together(50, async (tx: Context, names: readonly string[]) => {
  const { rows } = await sql<{ transaction: string }>`
    insert into written select name, pg_current_xact_id()::text from unnest(${[...names]}::text[]) as name
    returning transaction`.execute(tx.db)
  return rows.map(({ transaction }) => transaction)
})
const writeLast = atCommit(80, (names: readonly string[]) => {
  return sql`insert into written select name, pg_current_xact_id()::text from unnest(${[...names]}::text[]) as name`
})

async function transactionsOf(names: readonly string[]): Promise<readonly (string | undefined)[]> {
  const { rows } = await sql<{ name: string; transaction: string }>`select name, transaction from written`.execute(
    ctx.db,
  )
  const found = new Map(rows.map(({ name, transaction }) => [name, transaction]))
  return names.map(name => found.get(name))
}

const named = (...names: string[]) => names.map(name => `${name}-${Math.random()}`)

test('requests that wait while one writes are one transaction, and one statement each operation (ADR 23)', async () => {
  const names = named('a', 'b', 'c', 'd')
  const seen: number[] = []
  const counted = together(60, async (_tx: Context, inputs: readonly string[]) => {
    seen.push(inputs.length)
    return inputs
  })
  await Promise.all(
    names.map(name =>
      ctx.commits.write(ctx, async tx => {
        await write(tx, name)
        await counted(tx, name)
        await writeLast(tx, `${name} last`)
      }),
    ),
  )
  const [first, ...others] = await transactionsOf(names)
  assert.equal(new Set(others).size, 1)
  assert.notEqual(first, others[0])
  assert.deepEqual(seen, [1, 3])
  assert.deepEqual(await transactionsOf(names.map(name => `${name} last`)), [first, ...others])
})

test('a request that throws leaves nothing, and the others of its batch everything (ADR 23)', async () => {
  const [lead = '', good = '', bad = '', fine = ''] = named('lead', 'good', 'bad', 'fine')
  const outcomes = await Promise.allSettled(
    [lead, good, bad, fine].map(name =>
      ctx.commits.write(ctx, async tx => {
        await write(tx, name)
        if (name === bad) throw new Error('undo me')
        return name
      }),
    ),
  )
  assert.deepEqual(
    outcomes.map(outcome => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason))),
    [lead, good, 'Error: undo me', fine],
  )
  const [, , ofBad, ofFine] = await transactionsOf([lead, good, bad, fine])
  assert.equal(ofBad, undefined)
  assert.ok(ofFine)
})

test('a statement that fails at the commit fails the request that asked for it, and no other (ADR 23)', async () => {
  const [lead = '', twice = '', fine = ''] = named('lead', 'twice', 'fine')
  await ctx.commits.write(ctx, tx => writeLast(tx, twice))
  const outcomes = await Promise.allSettled(
    [lead, twice, fine].map(name => ctx.commits.write(ctx, tx => writeLast(tx, name))),
  )
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.ok((await transactionsOf([fine]))[0])
})

test('two requests of one execution are never in one batch: its row keeps nobody out of its own transaction (ADR 23)', async () => {
  const names = named('lead', 'one', 'two', 'other')
  await Promise.all(
    names.map((name, n) =>
      ctx.commits.write(
        ctx,
        async tx => {
          await write(tx, name)
        },
        n === 1 || n === 2 ? ['execution x'] : [],
      ),
    ),
  )
  const [, one, two, other] = await transactionsOf(names)
  assert.equal(one, other)
  assert.notEqual(one, two)
})

test('operations run in the order of their places, those in turn by name, for requests at different stages (ADR 23)', async () => {
  const order: string[] = []
  const locks = inTurn(
    20,
    (name: string) => name,
    async (_tx, name) => {
      order.push(`lock ${name}`)
      return name
    },
  )
  const later = together(30, async (_tx: Context, inputs: readonly string[]) => {
    order.push(`later ${inputs.length}`)
    return inputs
  })
  const skips = (name: string) => ctx.commits.write(ctx, tx => later(tx, name))
  const both = (name: string) =>
    ctx.commits.write(ctx, async tx => {
      assert.equal(await locks(tx, name), name)
      return await later(tx, name)
    })
  assert.deepEqual(await Promise.all([skips('first'), skips('x'), both('c'), both('a'), both('b')]), [
    ...['first', 'x', 'c', 'a', 'b'],
  ])
  assert.deepEqual(order, ['later 1', 'lock a', 'lock b', 'lock c', 'later 4'])
})

test('of one proof that comes twice in one batch the first has it (attack 38)', async () => {
  const expires_at = new Date(clock.now().getTime() + 60_000)
  const claim = { kind: 'dpop', owner: 'jkt', jti: `twice-${Math.random()}`, expires_at } as const
  const [, ...taken] = await Promise.all(
    [0, 1, 2].map(n => ctx.commits.write(ctx, tx => claimReplays(tx, n === 0 ? [] : [claim]))),
  )
  assert.deepEqual(taken, [[], ['dpop']])
})

await sql`create table held (name text primary key)`.execute(ctx.db)
await sql`insert into held values ('mine'), ('theirs')`.execute(ctx.db)
const hold = together(50, async (tx: Context, names: readonly string[]) => {
  await sql`select name from held where name = any(${[...names]}::text[]) order by name for update`.execute(tx.db)
  return names
})

/** Runs while somebody else has the row 'theirs'; `letGo` gives it back. */
async function whileHeld(run: (letGo: () => void) => Promise<void>): Promise<void> {
  const { promise: let_go, resolve: letGo } = Promise.withResolvers<void>()
  const { promise: held, resolve: isHeld } = Promise.withResolvers<void>()
  const holder = ctx.db.transaction().execute(async tx => {
    await sql`select name from held where name = 'theirs' for update`.execute(tx)
    isHeld()
    await let_go
  })
  await held
  await run(letGo).finally(letGo)
  await holder
}

test('a request that waits for somebody’s row is parted from the others of its batch, and done when it is free (ADR 23)', async () => {
  const names = named('lead', 'a', 'b', 'c')
  await whileHeld(async letGo => {
    const done: string[] = []
    const wait = (name: string, row: string) =>
      ctx.commits
        .write(ctx, async tx => {
          await hold(tx, row)
          await writeLast(tx, name)
        })
        .then(() => done.push(name))
    const [lead = '', a = '', b = '', c = ''] = names
    const others = Promise.all([wait(lead, 'none'), wait(a, 'none'), wait(c, 'none')])
    const waits = wait(b, 'theirs')
    await others
    assert.deepEqual(done.toSorted(), [lead, a, c].toSorted())
    letGo()
    await waits
  })
  assert.ok((await transactionsOf(names)).every(Boolean))
})

test('who comes while a batch waits for a row is not held up by it, also when nobody else comes (ADR 23)', async () => {
  await whileHeld(async letGo => {
    const waits = ctx.commits.write(ctx, tx => hold(tx, 'theirs'))
    assert.equal(await ctx.commits.write(ctx, tx => hold(tx, 'mine')), 'mine')
    letGo()
    assert.equal(await waits, 'theirs')
  })
})

test('what rests on something that changed is undone once, and not done again for nothing (ADR 23)', async () => {
  const names = named('lead', 'stale', 'fine')
  const runs = new Map<string, number>()
  const outcomes = await Promise.allSettled(
    names.map((name, n) =>
      ctx.commits.write(ctx, async tx => {
        runs.set(name, (runs.get(name) ?? 0) + 1)
        await write(tx, name)
        if (n === 1) throw new Undone()
      }),
    ),
  )
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(
    names.map(name => runs.get(name)),
    [1, 1, 2],
  )
  assert.equal((await transactionsOf(names))[1], undefined)
})
