import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import { epochSeconds } from '../../src/protocol/time.ts'
import { firstTimeIdAt } from '../../src/protocol/time-id.ts'
import { migrateToLatest } from '../../src/server/store/migrate.ts'
import { type Partition, partitionName } from '../../src/server/store/partition-plan.ts'
import {
  addPartition,
  dropPartition,
  dropPartitions,
  ensurePartitions,
  listPartitions,
  preparePartitions,
} from '../../src/server/store/partitions.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { isStorageTrouble } from '../../src/server/store/storage-trouble.ts'
import { startTestApp } from '../support/app.ts'
import { createEmptyDatabase } from '../support/database.ts'
import { accessToken, givenClient } from '../support/given.ts'

const instant = (seconds = 0) => ({ now: new Date(Date.now() + seconds * 1000), auditDays: undefined })

/** A migrated database as a first start finds it: without a partition. */
async function given(context: { after: (fn: () => Promise<void>) => void }) {
  const { connection, db, drop } = await createEmptyDatabase()
  context.after(drop)
  await migrateToLatest(connection)
  return { connection, db }
}

/** As a mint claims, whatever else it does. @returns whether it was fresh */
async function claim(db: Kysely<Database>, jti: string, expires_at: number): Promise<boolean> {
  const { rows } = await sql`insert into replay (kind, owner, jti, expires_at)
    values ('dpop', 'jkt', ${jti}, ${new Date(expires_at * 1000)}) on conflict do nothing returning jti`.execute(db)
  return rows.length === 1
}

const own = ({ issuer }: { issuer: string }) => ({ resource: issuer, scope: 'register:intent' })

async function countOf(db: Kysely<Database>, table: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from ${sql.table(table)}`.execute(db)
  return rows[0]?.n ?? -1
}

test('nodes that start at once make each partition once (issue 6 item 3)', async context => {
  const { connection, db } = await given(context)
  const at = instant()
  assert.deepEqual(await listPartitions(db), [])
  await Promise.all(Array.from({ length: 4 }, () => preparePartitions(connection, at)))
  const made = await listPartitions(db)
  assert.deepEqual(new Set(made.map(({ table }) => table)), new Set(['replay', 'token', 'audit_event']))
  assert.ok(made.length > 15)
  assert.deepEqual(await ensurePartitions(db, at), [])
  const [a = [], b = []] = await Promise.all([ensurePartitions(db, instant(20)), ensurePartitions(db, instant(20))])
  assert.ok(Math.min(a.length, b.length) === 0)
})

test('[attack 130] a proof falls into the range of its own time, whenever it comes and whatever ranges are there (reliability.md R6)', async context => {
  const { db } = await given(context)
  await ensurePartitions(db, instant())
  const now = epochSeconds(new Date())
  const edge = (Math.floor(now / 600) + 1) * 600
  // Just before and just after the edge between two ranges; once more when later ranges were made.
  for (const expires_at of [edge - 1, edge]) assert.equal(await claim(db, 'p', expires_at), true)
  for (const expires_at of [edge - 1, edge]) assert.equal(await claim(db, 'p', expires_at), false)
  await addPartition(db, { table: 'replay', from: edge + 90_000, to: edge + 90_600 })
  for (const expires_at of [edge - 1, edge]) assert.equal(await claim(db, 'p', expires_at), false)
  const { rows } = await sql<{ place: string }>`
    select tableoid::regclass::text as place from replay order by expires_at`.execute(db)
  assert.deepEqual(
    rows.map(({ place }) => place),
    [`replay_${edge - 600}_${edge}`, `replay_${edge}_${edge + 600}`],
  )
})

test('what has passed goes by drop, not by delete, and is never fresh again: without a range there is no decision (reliability.md R17)', async context => {
  const { db } = await given(context)
  const from = (Math.floor(Date.now() / 600_000) - 2) * 600
  const old: Partition = { table: 'replay', from, to: from + 600 }
  await addPartition(db, old)
  await sql`create function refuse_delete() returns trigger language plpgsql as
    $$ begin raise exception 'deleted a row'; end $$`.execute(db)
  await sql`create trigger no_delete before delete or truncate on ${sql.table(partitionName(old))}
    execute function refuse_delete()`.execute(db)
  for (let n = 0; n < 100; n += 1) await claim(db, `p${n}`, from + n)
  assert.equal(await countOf(db, 'replay'), 100)
  await ensurePartitions(db, instant())
  assert.deepEqual(await dropPartitions(db, instant()), [old])
  assert.equal(await countOf(db, 'replay'), 0)
  assert.deepEqual(await dropPartitions(db, instant()), [])
  await assert.rejects(claim(db, 'p1', from + 1), (error: unknown) => isStorageTrouble(error))
  assert.deepEqual(await ensurePartitions(db, instant()), [])
})

test('a range that somebody reads is not waited for: the others go on, the next turn drops it', async context => {
  const { db } = await given(context)
  const [from = 0, next = 0] = [2, 1].map(n => (Math.floor(Date.now() / 600_000) - n) * 600)
  const old: Partition = { table: 'replay', from, to: next }
  await addPartition(db, old)
  await ensurePartitions(db, instant())
  await db.transaction().execute(async reader => {
    await sql`select count(*) from replay`.execute(reader)
    const begun = Date.now()
    assert.equal(await dropPartition(db, old), false)
    // A lock time-out of the pool would be ten times that, and those who write stand behind it.
    assert.ok(Date.now() - begun < 900, 'it let go soon')
    assert.equal(await claim(db, 'p', epochSeconds(new Date()) + 60), true)
  })
  assert.equal(await dropPartition(db, old), true)
})

test('a node whose clock is not the database’s makes and drops nothing: a range is gone for ever (reliability.md R14)', async context => {
  const { db } = await given(context)
  await assert.rejects(ensurePartitions(db, instant(-40)), /clocks .* differ by \d+ s/)
  await ensurePartitions(db, instant())
  const before = await listPartitions(db)
  for (const seconds of [3_600, 400 * 86_400]) {
    const wrong = { ...instant(seconds), auditDays: 30 }
    await assert.rejects(dropPartitions(db, wrong), /differ by/)
    await assert.rejects(ensurePartitions(db, wrong), /differ by/)
  }
  assert.deepEqual(await listPartitions(db), before)
})

test('the audit trail goes by whole ranges after REMIT_AUDIT_DAYS, and stays for ever without it', async context => {
  const { db } = await given(context)
  const day = Math.floor(Date.now() / 86_400_000) * 86_400
  for (const days of [33, 32, 31, 30]) {
    const from = day - days * 86_400
    await addPartition(db, { table: 'audit_event', from, to: from + 86_400 })
    await sql`insert into audit_event (id, at, action, outcome, actor, request_id, details, leaf_hash)
      values (${firstTimeIdAt(new Date((from + 5) * 1000))}, ${new Date((from + 5) * 1000)}, 'test', 'success', 'a', 'r',
        '{}', '')`.execute(db)
  }
  await ensurePartitions(db, instant())
  assert.deepEqual(await dropPartitions(db, instant()), [])
  const dropped = await dropPartitions(db, { ...instant(), auditDays: 30 })
  assert.deepEqual(
    dropped.map(({ to }) => (day - to) / 86_400),
    [32, 31, 30],
  )
  assert.equal(await countOf(db, 'audit_event'), 1)
})

test('mints go on while ranges are made and dropped: none fails, none hangs (reliability.md R7)', async () => {
  const app = await startTestApp()
  const { db } = app.ctx
  for (const partition of await listPartitions(db)) await dropPartition(db, partition)
  await ensurePartitions(db, instant())
  const client = await givenClient(app)
  let going = true
  let minted = 0
  let slowest = 0
  const minting = Array.from({ length: 4 }, async () => {
    while (going) {
      const begun = Date.now()
      await accessToken(app, client, own(app))
      slowest = Math.max(slowest, Date.now() - begun)
      minted += 1
    }
  })
  const far = epochSeconds(app.ctx.now()) + 40 * 86_400
  let dropped = 0
  try {
    for (let n = 0; n < 5; n += 1) {
      for (const table of ['replay', 'token', 'audit_event'] as const) {
        const range: Partition = { table, from: far + n * 600, to: far + n * 600 + 600 }
        await addPartition(db, range)
        if (await dropPartition(db, range)) dropped += 1
      }
    }
  } finally {
    going = false
    await Promise.all(minting)
  }
  assert.ok(dropped > 0, 'some were let go at once')
  assert.ok(minted >= 4)
  assert.ok(slowest < 5_000, `${slowest} ms`)
})

test('without a range for it a mint is answered 503, logged, and nothing is taken (architecture.md section 3)', async () => {
  const app = await startTestApp()
  const { db } = app.ctx
  const client = await givenClient(app)
  for (const table of ['token', 'audit_event', 'replay'] as const) {
    const endless: Partition = { table, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
    await dropPartition(db, endless)
    await assert.rejects(accessToken(app, client, own(app)), /temporarily_unavailable/, table)
    assert.ok(
      app.log.some(line => line.includes(`no partition of relation \\"${table}\\"`)),
      table,
    )
    await addPartition(db, endless)
    assert.deepEqual([await countOf(db, 'token'), await countOf(db, 'replay')], [0, 0])
  }
  await accessToken(app, client, own(app))
})
