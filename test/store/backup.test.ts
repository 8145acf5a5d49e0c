import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { epochSeconds } from '../../src/protocol/time.ts'
import { firstTimeIdAt } from '../../src/protocol/time-id.ts'
import { checkCanary } from '../../src/server/keys/canary.ts'
import { createSealer, namedKek, randomKey, type Sealer } from '../../src/server/keys/sealing.ts'
import { writeBackup } from '../../src/server/store/backup.ts'
import { BACKED_UP_TABLES, NOT_BACKED_UP } from '../../src/server/store/backup-format.ts'
import type { Connection } from '../../src/server/store/database.ts'
import { addPartition, dropPartition, ensurePartitions, listPartitions } from '../../src/server/store/partitions.ts'
import { restoreBackup } from '../../src/server/store/restore.ts'
import { givenDelegation } from '../registry/given-execution.ts'
import { startTestApp } from '../support/app.ts'
import { createEmptyDatabase } from '../support/database.ts'
import { givenAgent, givenClient, givenResource } from '../support/given.ts'
import { givenWorkflow, mint } from '../support/recorded.ts'

const API = 'https://api.example.test'
const NOT_BEFORE = new Date('2026-11-22T03:00:00Z')

async function backupOf(connection: Connection): Promise<string> {
  let text = ''
  const made = { issuer: 'http://127.0.0.1:4000', created_at: new Date('2026-11-22T02:00:00Z') }
  await writeBackup(connection, made, async lines => {
    text += lines
  })
  return text
}

async function restoreInto(connection: Connection, text: string, sealer?: Sealer) {
  async function* lines() {
    yield* text.replace(/\n$/, '').split('\n')
  }
  return await restoreBackup(connection, {
    lines: lines(),
    not_before: NOT_BEFORE,
    complete: async restored => {
      if (sealer) await checkCanary(restored, sealer)
    },
    report: () => {},
  })
}

test('every table is backed up, or named as one that is not (reliability.md R18)', async () => {
  const app = await startTestApp()
  const { rows } = await sql<{ table_name: string }>`select relname as table_name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    order by relname limit 1000`.execute(app.ctx.db)
  assert.deepEqual(
    rows.map(row => row.table_name),
    [...BACKED_UP_TABLES, ...NOT_BACKED_UP].sort(),
  )
})

test('a restored database holds every row as it was, and begins an epoch (reliability.md R18)', async () => {
  const app = await startTestApp()
  await checkCanary(app.ctx.db, app.ctx.sealer)
  const client = await givenClient(app, { client_name: 'Zoë "quoted" \\ back\u2028slash' })
  await givenAgent(app, client, 'planner', {
    agent_components: { agent_id: 'planner', prompt_template: 'x', tools: [], configuration: { temperature: 1e21 } },
  })
  await sql`insert into revocation (kind, id, reason, revoked_by, revoked_at, ends_at)
    values ('token', 'jti-1', 'test', 'otto', ${NOT_BEFORE}, ${NOT_BEFORE})`.execute(app.ctx.db)
  const first = await backupOf(app.database.connection)
  const empty = await createEmptyDatabase()
  try {
    const restored = await restoreInto(empty.connection, first)
    assert.equal(restored.issuer, 'http://127.0.0.1:4000')
    const second = await backupOf(empty.connection)
    const rowsOf = (text: string) =>
      text.split('\n').filter(line => line.startsWith('{') && !line.includes('not_before'))
    assert.deepEqual(rowsOf(second), rowsOf(first))
    assert.ok(rowsOf(first).length > 8)
    const epoch = await empty.db
      .selectFrom('restore_epoch')
      .select(['not_before', 'backup_created_at'])
      .executeTakeFirst()
    assert.deepEqual(epoch, { not_before: NOT_BEFORE, backup_created_at: new Date('2026-11-22T02:00:00Z') })
    const before = await app.ctx.db.selectFrom('revocation').select('seq').orderBy('seq', 'desc').limit(1).execute()
    const { rows } = await sql<{ seq: string }>`insert into revocation
      (kind, id, reason, revoked_by, revoked_at, ends_at)
      values ('token', 'jti-2', 'test', 'otto', ${NOT_BEFORE}, ${NOT_BEFORE}) returning seq`.execute(empty.db)
    assert.ok(Number(rows[0]?.seq) > Number(before[0]?.seq) + 999_999, 'a sequence number never comes twice')
  } finally {
    await empty.drop()
  }
})

test('[attack 72] an execution is restored with its steps and approvals: what was minted is not minted again (reliability.md R18)', async () => {
  const app = await startTestApp()
  await givenResource(app, { resource: API, scopes: [{ name: 'write', workflow: true }] })
  const access = [{ resource: API, scope: 'write' }]
  const own = { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }
  const client = await givenClient(app, { access: [...access, own] })
  const agent = await givenAgent(app, client, 'patcher', { grant: { access } })
  await givenWorkflow(app, client, 'flow', [
    { step_id: 'plan', agent_id: 'patcher', required: true, reversible: false },
    { step_id: 'gate', approval_gate: true },
    { step_id: 'patch', agent_id: 'patcher', requires_approval: true },
  ])
  const asked = { resource: API, scope: 'write', workflow_id: 'flow' }
  const { body } = await mint(app, client, agent, { ...asked, step: 'plan' })
  const execution_id = String(body.execution_id)
  const waits = await mint(app, client, agent, { ...asked, step: 'patch', execution_id, arguments: { pr: 7 } })
  const { approval_id } = waits.body
  const empty = await createEmptyDatabase()
  try {
    await restoreInto(empty.connection, await backupOf(app.database.connection))
    const { rows } = await sql`select state, entries, step.tokens, approval_id, approval.status, arguments_digest
      from execution join execution_step step using (execution_id) join approval using (execution_id)
      where execution_id = ${execution_id}`.execute(empty.db)
    const arguments_digest = sha256Base64url('{"pr":7}')
    const plan = { state: 'entered', entries: 1, tokens: 1 }
    assert.deepEqual(rows, [{ ...plan, approval_id, status: 'pending', arguments_digest }])
    // What was entered since the backup is not in it: nothing goes on.
    const execution = empty.db.selectFrom('execution').select(['status', 'ended_at'])
    assert.deepEqual(await execution.execute(), [{ status: 'revoked', ended_at: NOT_BEFORE }])
  } finally {
    await empty.drop()
  }
})

test('a backup that was cut short or changed restores nothing, and the next good one does', async () => {
  const app = await startTestApp()
  await givenClient(app)
  const good = await backupOf(app.database.connection)
  const lines = good.split('\n')
  const row = lines.findIndex(line => line.startsWith('{'))
  const broken = {
    'without its end': lines.slice(0, -2).join('\n'),
    'without a row': lines.toSpliced(row, 1).join('\n'),
    'with a changed row': good.replace('"kind":"app"', '"kind":"operator"'),
    'with a row that is none': lines.toSpliced(row, 1, '{"client_id":1}').join('\n'),
    'with an unknown table': good.replace('# table agent\n', '# table pg_authid\n'),
  }
  const empty = await createEmptyDatabase()
  try {
    for (const [what, text] of Object.entries(broken)) {
      await assert.rejects(restoreInto(empty.connection, text), { name: 'StartRefused' }, what)
      const { rows } = await sql`select client_id from client limit 1`.execute(empty.db)
      assert.equal(rows.length, 0, what)
    }
    await assert.rejects(restoreInto(empty.connection, 'no backup'), /not a backup of Remit/)
    await restoreInto(empty.connection, good)
    const { rows } = await sql`select client_id from client limit 2`.execute(empty.db)
    assert.equal(rows.length, 1)
  } finally {
    await empty.drop()
  }
})

test('nothing is restored over a database in use, nor under another key-encryption key', async () => {
  const app = await startTestApp()
  await checkCanary(app.ctx.db, app.ctx.sealer)
  const text = await backupOf(app.database.connection)
  await assert.rejects(restoreInto(app.database.connection, text), /was used by Remit before/)
  const empty = await createEmptyDatabase()
  try {
    const other = createSealer([namedKek(randomKey())])
    await assert.rejects(restoreInto(empty.connection, text, other), /key-encryption key is not the one/)
    const { rows } = await sql`select id from sealing_canary limit 1`.execute(empty.db)
    assert.equal(rows.length, 0)
  } finally {
    await empty.drop()
  }
})

test('delegations come back in whatever order their rows lie: a parent that was changed lies behind its children (reliability.md R18)', async () => {
  const app = await startTestApp()
  const { ctx } = app
  const { client_id } = await givenClient(app)
  const of = { client_id, workflow_id: 'flow', execution_id: '' }
  const loose = { execution_id: null }
  const parent_delegation_id = await givenDelegation(ctx, of, ['a', 'b'], loose)
  // More than one statement of a restore takes.
  for (let n = 0; n < 1_100; n += 1) {
    await givenDelegation(ctx, of, ['a', 'b', 'c'], { ...loose, parent_delegation_id })
  }
  const parent = ctx.db.updateTable('delegation').where('delegation_id', '=', parent_delegation_id)
  await parent.set({ revoked_at: NOT_BEFORE }).execute()
  const text = await backupOf(app.database.connection)
  const rows = text.split('\n').filter(line => line.includes('"delegation_id":') && line.includes('"parent_jti":'))
  assert.ok(rows.at(-1)?.includes(`"delegation_id":"${parent_delegation_id}"`), 'the parent is the last row')
  const empty = await createEmptyDatabase()
  try {
    await restoreInto(empty.connection, text)
    const { rows: counted } = await sql<{ n: number }>`select count(*)::int as n from delegation child
      join delegation parent on parent.delegation_id = child.parent_delegation_id
      where parent.revoked_at is not null`.execute(empty.db)
    assert.deepEqual(counted, [{ n: 1_100 }])
  } finally {
    await empty.drop()
  }
})

test('what lay in many partitions comes back whole, also what is dated years ahead, and the server goes on behind it (reliability.md R18)', async () => {
  const app = await startTestApp()
  const { db } = app.ctx
  for (const partition of await listPartitions(db)) await dropPartition(db, partition)
  const now = epochSeconds(new Date())
  const years = 5 * 365 * 86_400
  for (const at of [now - years, now, now + years]) {
    for (const table of ['token', 'audit_event'] as const) await addPartition(db, { table, from: at, to: at + 100 })
    const time = new Date((at + 50) * 1000)
    await sql`insert into token (jti, client_id, sub, resource, scope, token_profile, kid, token_type, workflow_state,
        issued_at, expires_at)
      values (${String(at)}, 'app', 'app', 'r', 's', 'interop', 'k', 'DPoP', 'none', ${time}, ${time})`.execute(db)
    await sql`insert into audit_event (id, at, action, outcome, actor, request_id, details, leaf_hash)
      values (${firstTimeIdAt(time)}, ${time}, 'test', 'success', 'a', 'r', '{}', '')`.execute(db)
  }
  const empty = await createEmptyDatabase()
  try {
    await restoreInto(empty.connection, await backupOf(app.database.connection))
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from token union all
      select count(*)::int from audit_event`.execute(empty.db)
    assert.deepEqual(rows, [{ n: 3 }, { n: 3 }])
    const restored = await listPartitions(empty.db)
    assert.deepEqual(
      restored.map(({ table, from, to }) => [table, from, to > now + years && Number.isFinite(to)]),
      ['audit_event', 'token'].map(table => [table, Number.NEGATIVE_INFINITY, true]),
    )
    const made = await ensurePartitions(empty.db, { now: new Date(), auditDays: undefined })
    assert.ok(made.every(({ table }) => table === 'replay') && made.length > 10)
  } finally {
    await empty.drop()
  }
})
