import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import { firstTimeIdAt } from '../../src/protocol/time-id.ts'
import { inLongSession } from '../../src/server/store/long-session.ts'
import { migrateToLatest } from '../../src/server/store/migrate.ts'
import { listPartitions, preparePartitions } from '../../src/server/store/partitions.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { createEmptyDatabase } from '../support/database.ts'

/* The texts are those of the release before, which goes on beside this one while it is rolled out. */

/** Sorted claims, and what was not taken before. */
async function claim(db: Kysely<Database>, jtis: readonly string[], expires_at: Date): Promise<readonly string[]> {
  const values = sql.join(jtis.map(jti => sql`('dpop', 'jkt', ${jti}, ${expires_at})`))
  const { rows } = await sql<{ jti: string }>`insert into "replay" ("kind", "owner", "jti", "expires_at")
    values ${values} on conflict do nothing returning "kind", "owner", "jti"`.execute(db)
  return rows.map(({ jti }) => jti)
}

async function mint(db: Kysely<Database>, now: Date): Promise<string> {
  const jti = randomUUID()
  const ends = new Date(now.getTime() + 300_000)
  await db.transaction().execute(async tx => {
    assert.deepEqual(await claim(tx, [jti], new Date(now.getTime() + 60_000)), [jti])
    await sql`insert into "token" ("jti", "client_id", "sub", "resource", "scope", "token_profile", "token_type", "kid",
        "jkt", "agent_id", "registration_id", "workflow_id", "workflow_version", "workflow_step", "workflow_state",
        "execution_id", "parent_jti", "initiated_by", "issued_at", "expires_at")
      values (${jti}, 'app', 'app', 'https://api.example', 'read', 'interop', 'Bearer', 'k', null, null, null, null, null,
        null, 'none', null, null, null, ${now}, ${ends})`.execute(tx)
    const id = `${firstTimeIdAt(now).slice(0, 19)}${randomUUID().slice(19)}`
    await sql`insert into "audit_event" ("id", "at", "action", "outcome", "reason", "actor", "client_id", "agent_id",
        "execution_id", "jti", "request_id", "address", "details", "leaf_hash", "seal_seq")
      values (${id}, ${now}, 'token.issue', 'success', null, 'app', 'app', null, null, ${jti}, 'r', null, '{}', '',
        null)`.execute(tx)
  })
  return jti
}

/** Deletes what has passed. @returns how much */
async function purge(db: Kysely<Database>, before: Date): Promise<readonly number[]> {
  const claims =
    await sql`delete from "replay" where ("kind", "owner", "jti") in (select "kind", "owner", "jti" from "replay"
    where "expires_at" < ${before} order by "expires_at" limit 5000)`.execute(db)
  const tokens = await sql`delete from "token" where "jti" in (select "jti" from "token"
    where "expires_at" < ${before} order by "expires_at" limit 5000)`.execute(db)
  return [Number(claims.numAffectedRows), Number(tokens.numAffectedRows)]
}

async function rowsOf(db: Kysely<Database>): Promise<readonly unknown[]> {
  const { rows } = await sql<{ all: unknown }>`
    select jsonb_agg(to_jsonb(row) order by jti) as all from token as row union all
    select jsonb_agg(to_jsonb(row) order by jti) from replay as row union all
    select jsonb_agg(to_jsonb(row) order by id) from audit_event as row`.execute(db)
  return rows
}

/** A database of release 003 that was used: a server's first act is the canary. */
async function givenUsed(context: { after: (fn: () => Promise<void>) => void }) {
  const { connection, db, drop } = await createEmptyDatabase()
  context.after(drop)
  await migrateToLatest(connection, () => {}, '003_executions')
  await sql`insert into sealing_canary values (1, 'k', '')`.execute(db)
  return { connection, db }
}

test('a used database keeps every row where it lies, and what was taken before the migration is taken after it (reliability.md R7)', async context => {
  const { connection, db } = await givenUsed(context)
  const now = new Date()
  const minted: string[] = []
  for (const hours of [72, 1, 0]) minted.push(await mint(db, new Date(now.getTime() - hours * 3_600_000)))
  const before = await rowsOf(db)
  const { rows: files } = await sql<{ file: number }>`
    select pg_relation_filenode(name::regclass) as file from unnest(array['token', 'audit_event', 'token_by_expiry',
      'audit_event_pkey', 'replay_pkey']) as name`.execute(db)
  await migrateToLatest(connection)
  assert.deepEqual(await rowsOf(db), before)
  const { rows: kept } = await sql<{ n: number }>`select count(*)::int as n from pg_class
    where relfilenode = any(${files.map(({ file }) => file)}::oid[])`.execute(db)
  assert.equal(kept[0]?.n, files.length, 'no row was copied and no index built')
  assert.deepEqual(await claim(db, minted, new Date(now.getTime() + 60_000)), [])
  const first = await listPartitions(db)
  assert.deepEqual(
    first.map(({ table, from }) => [table, from]),
    ['audit_event', 'replay', 'token'].map(table => [table, Number.NEGATIVE_INFINITY]),
  )
  const days = first.map(({ to }) => Math.floor((to - now.getTime() / 1000) / 86_400))
  assert.deepEqual([days[0] === 7, days[1], days[2] === 7], [true, 1, true])
})

test('a node of the release before goes on beside it: it mints, refuses what was used, and purges (issue 6 item 3)', async context => {
  const { connection, db } = await givenUsed(context)
  await mint(db, new Date(Date.now() - 72 * 3_600_000))
  await migrateToLatest(connection)
  await mint(db, new Date())
  await preparePartitions(connection, { now: new Date(), auditDays: undefined })
  // Into partitions that this release made.
  const soon = (await listPartitions(db)).filter(({ table }) => table === 'replay').at(-1)
  const at = new Date(((soon?.to ?? 0) - 1) * 1000)
  assert.deepEqual(await claim(db, ['b', 'a'], at), ['b', 'a'])
  assert.deepEqual(await claim(db, ['a', 'c'], at), ['c'])
  assert.deepEqual(await purge(db, new Date(Date.now() - 48 * 3_600_000)), [1, 1])
  assert.deepEqual(await purge(db, new Date(Date.now() + 2 * 86_400_000)), [4, 1])
})

test('nodes of the release before mint while the migration runs, also while a backup holds it off, and no request fails (reliability.md R7)', async context => {
  const { connection, db } = await givenUsed(context)
  let going = true
  let minted = 0
  const nodes = Array.from({ length: 4 }, async () => {
    while (going) {
      await mint(db, new Date())
      minted += 1
    }
  })
  const failed = Promise.all(nodes).then(() => {})
  try {
    const { migrating } = await inLongSession(connection, 'backup', async backup => {
      await sql`begin`.execute(backup)
      await sql`select count(*) from token`.execute(backup)
      const migrating = migrateToLatest(connection)
      // Between one attempt to take the table and the next everybody passes.
      for (let attempts = 0; attempts < 2; attempts += 1) {
        await Promise.race([failed, until(db, true)])
        const before = minted
        while (minted < before + 8) await Promise.race([failed, until(db, false)])
      }
      return { migrating }
    })
    assert.equal((await migrating).filter(name => name.startsWith('004_')).length, 3)
  } finally {
    going = false
    await failed
  }
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from token`.execute(db)
  assert.equal(rows[0]?.n, minted)
})

/** Until the migration waits for a table, or does not. */
async function until(db: Kysely<Database>, waits: boolean): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ waits: boolean }>`select count(*) > 0 as waits from pg_stat_activity
      where datname = current_database() and application_name = 'remit migrate' and wait_event_type = 'Lock'`.execute(
      db,
    )
    if (rows[0]?.waits === waits) return
  }
}
