import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportTrail } from '../../src/cli/audit-export.ts'
import { instantOf } from '../../src/cli/audit-filter.ts'
import { followAfter, hasItsHash, newRows, readTrail } from '../../src/cli/audit-trail.ts'
import { auditRowSchema } from '../../src/protocol/audit-views.ts'
import { firstTimeIdAt, timeOfId } from '../../src/protocol/time-id.ts'
import { auditAct, auditTokenIssued, auditTokenRevoked } from '../../src/server/audit/events.ts'
import { type Context, timeIdAt, transaction } from '../../src/server/context.ts'
import { startTestApp } from '../support/app.ts'
import { givenAdmin, givenClient } from '../support/given.ts'
import { caller, readerOf } from './given.ts'

const app = await startTestApp()
const { ctx, clock } = app
const admin = await givenAdmin(app)
const stranger = await givenAdmin(app)
const asAdmin = caller(app, admin, 'admin')
const read = readerOf(asAdmin)

const BY = {
  client_id: 'actor-app',
  sub: 'actor-app',
  acting_owner: 'user:local:anna',
  scope: [],
  registers_for: [],
  request_id: '',
  address: '127.0.0.1',
}

/** One row of the trail, written the only way there is. */
async function row(
  tx: Context,
  about: { client_id?: string; agent_id?: string; execution_id?: string; request_id?: string; n?: number } = {},
) {
  const { request_id = ctx.timeId(), n = 0, ...rest } = about
  await auditAct(tx, { ...BY, request_id }, { action: 'agent.register', details: { n }, ...rest })
}

async function list(query: Record<string, string>) {
  const { status, body } = await asAdmin('GET', `/admin/v1/audit?${new URLSearchParams(query)}`)
  const items = Array.isArray(body.items) ? body.items.map(item => auditRowSchema.parse(item)) : []
  return { status, items, next_cursor: body.next_cursor }
}

test('rows are found by client, agent, actor, request, reason, outcome, action and time (issue 3, audit read)', async () => {
  const client = await givenClient(app)
  const { client_id } = client
  clock.advance(5)
  const begin = clock.now().toISOString()
  const request_id = ctx.timeId()
  await row(ctx, { client_id, agent_id: 'one', n: 1 })
  clock.advance(1)
  await row(ctx, { client_id, agent_id: 'two', request_id, n: 2 })
  clock.advance(1)
  const middle = clock.now().toISOString()
  await row(ctx, { client_id: 'other-app', agent_id: 'one', n: 3 })
  clock.advance(1)
  await asAdmin('GET', '/admin/v1/agents/nobody')
  const found = async (query: Record<string, string>) =>
    (await list({ since: begin, ...query })).items
      .filter(item => item.action === 'agent.register')
      .map(item => item.details.n)
  assert.deepEqual(await found({ client_id }), [2, 1])
  assert.deepEqual(await found({ client_id, agent_id: 'one' }), [1])
  assert.deepEqual(await found({ actor: 'actor-app' }), [3, 2, 1])
  assert.deepEqual(await found({ request_id }), [2])
  assert.deepEqual(await found({ until: middle }), [2, 1])
  assert.deepEqual(await found({ since: middle }), [3])
  assert.deepEqual(await found({ outcome: 'refused' }), [])
  assert.deepEqual(await found({ action: 'agent.approve' }), [])
  assert.deepEqual(await found({ jti: 'none' }), [])
  assert.deepEqual(await found({ execution_id: 'none' }), [])
  const refused = await list({ since: begin, reason: 'not_found', outcome: 'refused' })
  assert.deepEqual(
    refused.items.map(item => item.action),
    ['read'],
  )
})

test('rows are found by their execution and by their token, and not those of another (issue 3, audit read)', async () => {
  clock.advance(5)
  const since = clock.now().toISOString()
  const origin = { client_id: 'token-app', agent_id: null, request_id: ctx.timeId(), address: '127.0.0.1' }
  for (const execution_id of ['exe_one', 'exe_two']) {
    await row(ctx, { execution_id })
    clock.advance(1)
    for (const name of ['a', 'b']) {
      const jti = `${execution_id}-${name}`
      await auditTokenIssued(ctx, { ...origin, execution_id, jti, sub: 'token-app', details: {} })
      clock.advance(1)
    }
  }
  await auditTokenRevoked(ctx, { ...origin, jti: 'exe_one-a', revoked: { token: 1 } })
  const found = async (query: Record<string, string>) =>
    (await list({ since, ...query })).items.map(({ action, execution_id, jti }) => [action, execution_id, jti])
  const one = [
    ['token.issue', 'exe_one', 'exe_one-b'],
    ['token.issue', 'exe_one', 'exe_one-a'],
    ['agent.register', 'exe_one', null],
  ]
  assert.deepEqual(await found({ execution_id: 'exe_one' }), one)
  assert.deepEqual(
    await found({ execution_id: 'exe_two' }),
    one.map(([action, ...ids]) => [action, ...ids.map(id => id?.replace('one', 'two') ?? null)]),
  )
  assert.deepEqual(await found({ execution_id: 'exe_one', jti: 'exe_one-b' }), [one[0]])
  assert.deepEqual(await found({ execution_id: 'exe_two', jti: 'exe_one-b' }), [])
  assert.deepEqual(await found({ jti: 'exe_two-a' }), [['token.issue', 'exe_two', 'exe_two-a']])
  assert.deepEqual(await found({ jti: 'exe_one-a' }), [['token.revoke', null, 'exe_one-a'], one[1]])
})

test('[attack 109] what is no filter is refused: an agent without its client, both directions, a forged id', async () => {
  const nil = firstTimeIdAt(new Date(0))
  for (const query of [
    'agent_id=one',
    `after=${nil}&before=${nil}`,
    "after=' or 1=1 --",
    'since=yesterday',
    'limit=1001',
    'x=1',
  ]) {
    assert.equal((await asAdmin('GET', `/admin/v1/audit?${query}`)).status, 400, query)
  }
})

test('pages go on without a gap or a repeat, in both directions', async () => {
  clock.advance(1)
  const since = clock.now().toISOString()
  for (let n = 0; n < 7; n += 1) {
    await row(ctx, { client_id: 'paged-app', n })
    clock.advance(1)
  }
  const filter = { client_id: 'paged-app', since, limit: '3' }
  const down: unknown[] = []
  for (let before: string | undefined; ; ) {
    const { items, next_cursor } = await list({ ...filter, ...(before && { before }) })
    down.push(...items.map(item => item.details.n))
    if (typeof next_cursor !== 'string') break
    before = next_cursor
  }
  assert.deepEqual(down, [6, 5, 4, 3, 2, 1, 0])
  const up: unknown[] = []
  for (let after = firstTimeIdAt(new Date(0)); ; ) {
    const { items, next_cursor } = await list({ ...filter, after })
    up.push(...items.map(item => item.details.n))
    if (items.length < 3) break
    after = String(next_cursor)
  }
  assert.deepEqual(up, [0, 1, 2, 3, 4, 5, 6])
})

test('one row is read by its id, with the hash of what was written; an unknown id is 404', async () => {
  await row(ctx, { client_id: 'hashed-app' })
  const { items } = await list({ client_id: 'hashed-app' })
  const one = await asAdmin('GET', `/admin/v1/audit/${items[0]?.id}`)
  const view = auditRowSchema.parse(one.body)
  assert.deepEqual(view, items[0])
  assert.equal(hasItsHash(view), true)
  const unknown = await asAdmin('GET', `/admin/v1/audit/${firstTimeIdAt(new Date(1))}`)
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'not_found'])
})

test('a reader leaves one row in ten minutes, however often it asks, and another reader its own (section 5)', async () => {
  clock.advance(601)
  const since = clock.now().toISOString()
  const notes = async () => (await list({ since, action: 'audit.read' })).items.map(item => item.actor)
  for (let n = 0; n < 5; n += 1) await notes()
  assert.deepEqual(await notes(), [admin.client_id])
  await caller(app, stranger, 'admin', 'audit:read')('GET', '/admin/v1/audit')
  assert.deepEqual((await notes()).sort(), [admin.client_id, stranger.client_id].sort())
  clock.advance(601)
  assert.equal((await notes()).length, 3)
})

test('a row whose transaction commits late is shown when it does, once, by whoever follows', async () => {
  clock.advance(30)
  const filter = { actor: 'actor-app', since: clock.now().toISOString() }
  await row(ctx, { n: 0 })
  const late = Promise.withResolvers<void>()
  const written = Promise.withResolvers<void>()
  const slow = transaction(ctx, async tx => {
    await row(tx, { n: 1 })
    written.resolve()
    await late.promise
  })
  await written.promise
  clock.advance(1)
  await row(ctx, { n: 2 })
  const first = (await readTrail(read, { ...filter, limit: '1' })).items.toReversed()
  assert.deepEqual(
    first.map(item => item.details.n),
    [2],
  )
  const begun = await followAfter(read, filter, first, new Date(0))
  assert.deepEqual(begun.rows, [], 'what was committed before the page is old')
  clock.advance(2)
  await row(ctx, { n: 3 })
  const second = await newRows(read, filter, begun.followed)
  assert.deepEqual(
    second.rows.map(item => item.details.n),
    [3],
  )
  late.resolve()
  await slow
  const third = await newRows(read, filter, second.followed)
  assert.deepEqual(
    third.rows.map(item => item.details.n),
    [1],
  )
  assert.deepEqual((await newRows(read, filter, third.followed)).rows, [])
})

test('an export is whole and in order, over pages, with rows that committed while it was read', async () => {
  clock.advance(30)
  const since = clock.now().toISOString()
  const id = timeIdAt(clock.now())
  clock.advance(1)
  for (let n = 0; n < 3; n += 1) await row(ctx, { n })
  let calls = 0
  // The row of an earlier id commits after the first look at its place.
  const disturbed = async (query: Readonly<Record<string, string>>) => {
    const page = await read(query)
    calls += 1
    if (calls === 2) await row({ ...ctx, timeId: () => id }, { n: 99 })
    return page
  }
  const lines: string[] = []
  const summary = await exportTrail(disturbed, { since }, async text => lines.push(text))
  const rows = lines
    .join('')
    .trimEnd()
    .split('\n')
    .map(line => auditRowSchema.parse(JSON.parse(line)))
  assert.equal(rows[0]?.details.n, 99)
  assert.deepEqual(
    rows.map(item => item.id),
    rows.map(item => item.id).sort(),
  )
  assert.deepEqual([summary.rows, summary.verified, summary.first_id], [rows.length, rows.length, id])
})

test('an export names each row that is not what was written: any column of it (section 5)', async () => {
  clock.advance(30)
  const since = clock.now().toISOString()
  const edits = {
    at: new Date(0),
    action: 'agent.approve',
    outcome: 'refused',
    reason: 'x',
    actor: 'x',
    client_id: 'x',
    agent_id: 'x',
    execution_id: 'x',
    jti: 'x',
    request_id: 'x',
    address: 'x',
    details: '{"n":7}',
  } as const
  const changed: string[] = []
  for (const [column, value] of Object.entries(edits)) {
    clock.advance(1)
    const id = ctx.timeId()
    await row({ ...ctx, timeId: () => id })
    const { rowCount } = await sqlUpdate(column, value, id)
    assert.equal(rowCount, 1n)
    changed.push(id)
  }
  const untouched = ctx.timeId()
  await row({ ...ctx, timeId: () => untouched })
  const summary = await exportTrail(read, { since }, async () => {})
  assert.deepEqual(summary.mismatches, changed)
  assert.equal(summary.verified, summary.rows - changed.length)
})

async function sqlUpdate(column: string, value: string | Date, id: string) {
  const [result] = await ctx.db
    .updateTable('audit_event')
    .set({ [column]: value })
    .where('id', '=', id)
    .execute()
  return { rowCount: result?.numUpdatedRows }
}

test('an instant is a range of ids: the first id of it is below every id made in it (RFC 9562 section 5.7)', () => {
  const at = new Date('2026-11-22T02:40:16.123Z')
  const ids = Array.from({ length: 50 }, () => timeIdAt(at))
  assert.ok(ids.every(id => id > firstTimeIdAt(at) && id < firstTimeIdAt(new Date(at.getTime() + 1))))
  assert.deepEqual(timeOfId(ids[0] ?? ''), at)
  assert.equal(timeOfId('c5b0c6a2-6b3e-4d0a-9b1e-0a1b2c3d4e5f'), undefined)
  assert.equal(timeOfId('no id'), undefined)
})

test('a row has one instant: what a time finds is what its ids find, however the clock runs meanwhile', async () => {
  clock.advance(30)
  const begin = clock.now().getTime()
  let milliseconds = 0
  const running = () => {
    milliseconds += 1
    return new Date(begin + milliseconds)
  }
  const tx = { ...ctx, now: running, timeId: (at: Date = running()) => timeIdAt(at) }
  const request_id = ctx.timeId()
  for (let n = 0; n < 3; n += 1) await row(tx, { request_id, n })
  const { items } = await list({ request_id })
  assert.equal(items.length, 3)
  for (const item of items) assert.equal(timeOfId(item.id)?.toISOString(), item.at)
})

test('times are written as people write them', () => {
  const now = new Date('2026-11-22T12:00:00Z')
  assert.equal(instantOf('2h', now), '2026-11-22T10:00:00.000Z')
  assert.equal(instantOf('90s', now), '2026-11-22T11:58:30.000Z')
  assert.equal(instantOf('7d', now), '2026-11-15T12:00:00.000Z')
  assert.equal(instantOf('2026-01-31', now), '2026-01-31T00:00:00.000Z')
  assert.equal(instantOf('2026-01-31T09:30:00+02:00', now), '2026-01-31T07:30:00.000Z')
  for (const wrong of ['', 'yesterday', '2 h', '2026-13-01', '1e3', '-5m', '2026-01-31T09:30:00']) {
    assert.equal(instantOf(wrong, now), undefined, wrong)
  }
})
