import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { referenceChecksum } from '../../src/protocol/checksum-reference.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey, type TestKey } from '../support/dpop.ts'
import { accessToken, boundHeaders, type GivenClient, givenAgent, givenClient } from '../support/given.ts'

const app = await startTestApp()
const { issuer, ctx, clock } = app
const PATH = '/intent/batch_register/agent'

type Sent = { readonly status: number }

async function batch(
  client: GivenClient,
  requests: readonly unknown[],
  headers: Readonly<Record<string, string>> = {},
  path = PATH,
) {
  const url = `${issuer}${path}`
  const token = await accessToken(app, client, { resource: issuer, scope: 'register:intent' })
  const bound = await boundHeaders(app, client, token, { method: 'POST', url })
  const body = JSON.stringify(path === PATH ? { registration_requests: requests } : requests[0])
  const init = { method: 'POST', headers: { ...bound, 'content-type': 'application/json', ...headers }, body }
  const response = await fetch(url, init)
  return { status: response.status, body: JSON.parse(await response.text()), headers: response.headers }
}

function request(client: GivenClient, agent_id: string, over: object = {}) {
  const agent_components = { agent_id, prompt_template: `You are ${agent_id}.`, tools: [] }
  return { app_id: client.client_id, agent_components, ...over }
}

async function versionsOf({ client_id }: GivenClient): Promise<string[]> {
  const rows = await ctx.db
    .selectFrom('registration')
    .select(['agent_id', 'version', 'status'])
    .where('client_id', '=', client_id)
    .orderBy('agent_id')
    .orderBy('version')
    .execute()
  return rows.map(row => `${row.agent_id} ${row.version} ${row.status}`)
}

async function auditOf(client_id: string) {
  return await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'reason', 'agent_id', 'details'])
    .where('client_id', '=', client_id)
    .where('action', 'in', ['agent.register', 'agent.batch_register'])
    .orderBy('id')
    .execute()
}

test('a batch registers every agent, in the order that was sent, of both profiles and of several clients (section 4)', async () => {
  const client = await givenClient(app)
  const other = await givenClient(app)
  const ci = await givenClient(app, { registers_for: [client.client_id, other.client_id] })
  const { status, body } = await batch(ci, [
    request(client, 'z-last'),
    request(other, 'first', { checksum_profile: 'reference' }),
    request(client, 'a-first', { public_key: (await generateKey()).jwk }),
  ])
  assert.equal(status, 200)
  assert.deepEqual(
    body.registrations.map((made: { agent_id: string; registration_id: string; version: number; status: string }) => [
      made.agent_id,
      made.registration_id,
      made.version,
      made.status,
    ]),
    ['z-last', 'first', 'a-first'].map(id => [id, `reg_${id}_${clock.seconds()}`, 1, 'active']),
  )
  assert.deepEqual(await versionsOf(client), ['a-first 1 active', 'z-last 1 active'])
  assert.deepEqual(await versionsOf(other), ['first 1 active'])
  const rows = await auditOf(client.client_id)
  assert.deepEqual(rows.map(row => [row.action, row.outcome, row.agent_id]).toSorted(), [
    ['agent.register', 'success', 'a-first'],
    ['agent.register', 'success', 'z-last'],
  ])
  const [own] = await auditOf(ci.client_id)
  assert.deepEqual(own && [own.action, own.outcome, own.details.asked, own.details.registered], [
    'agent.batch_register',
    'success',
    3,
    3,
  ])
})

test('one refusal refuses all, and the answer says of each what came of it (section 4)', async () => {
  const client = await givenClient(app)
  const stranger = await givenClient(app)
  const there = await givenAgent(app, client, 'there')
  const before = await versionsOf(client)
  const { status, body } = await batch(client, [
    request(client, 'good'),
    request(client, 'there'),
    request(stranger, 'foreign'),
    request(client, 'Good'),
    request(client, 'twice'),
    request(client, 'twice', { agent_components: { agent_id: 'twice', prompt_template: 'B', tools: [] } }),
    request(client, 'slow', { drain_seconds: 10_000 }),
  ])
  assert.equal(status, 400)
  const { error_uri: _, ...answer } = body
  assert.deepEqual(answer, {
    error: 'invalid_request',
    error_description: 'No agent of the batch was registered; results says why.',
    results: [
      { agent_id: 'good', status: 'not_registered' },
      {
        agent_id: 'there',
        status: 'refused',
        error: 'duplicate_agent',
        error_description: 'A version with this checksum is pending, active or draining.',
        registration_id: there.registration_id,
        existing_agent_id: 'there',
        checksum: there.checksum,
      },
      {
        agent_id: 'foreign',
        status: 'refused',
        error: 'unauthorized_client',
        error_description: 'The client may not register for this app_id.',
      },
      {
        agent_id: 'Good',
        status: 'refused',
        error: 'invalid_request',
        error_description: 'An agent of this client has an id that differs only in case.',
      },
      { agent_id: 'twice', status: 'not_registered' },
      {
        agent_id: 'twice',
        status: 'refused',
        error: 'invalid_request',
        error_description: 'The agent stands in the batch twice; send one version of it.',
      },
      {
        agent_id: 'slow',
        status: 'refused',
        error: 'invalid_request',
        error_description:
          "drain_seconds is too long: the client's policy max_drain_seconds allows 3600 seconds at most.",
      },
    ],
  })
  assert.deepEqual(await versionsOf(client), before)
  assert.deepEqual(await versionsOf(stranger), [])
  const rows = await auditOf(client.client_id)
  assert.deepEqual(
    rows.map(row => [row.action, row.outcome, row.reason]),
    [['agent.batch_register', 'refused', 'batch_refused']],
  )
})

test('a malformed item is refused by itself: every other one has its answer (section 4, ADR 11)', async () => {
  const client = await givenClient(app)
  const parts = { agent_id: 'shaped', prompt_template: 'A', tools: [] }
  const { status, body } = await batch(client, [
    request(client, 'good', { checksum_profile: 'reference' }),
    { app_id: client.client_id, agent_components: { ...parts, agent_id: 'no id!' } },
    { app_id: client.client_id, agent_components: { ...parts, tools: [{ name: 't', color: 'red' }] } },
    request(client, 'slow', { drain_seconds: 10_000 }),
    request(client, 'shaped', { 'x"y': 1 }),
    'not an object',
    request(client, 'unknown', { checksum_profile: 'md5' }),
  ])
  assert.equal(status, 400)
  const { error_uri: _, ...answer } = body
  const refused = { status: 'refused', error: 'invalid_request' }
  assert.deepEqual(answer, {
    error: 'invalid_request',
    error_description: 'No agent of the batch was registered; results says why.',
    results: [
      { agent_id: 'good', status: 'not_registered' },
      {
        ...refused,
        error_description:
          'Member agent_components.agent_id is not accepted: Invalid string: must match pattern /^[A-Za-z0-9-]{1,128}$/',
      },
      {
        ...refused,
        agent_id: 'shaped',
        error_description: 'Member agent_components.tools.0 has a member that is not known here.',
      },
      {
        ...refused,
        agent_id: 'slow',
        error_description:
          "drain_seconds is too long: the client's policy max_drain_seconds allows 3600 seconds at most.",
      },
      { ...refused, agent_id: 'shaped', error_description: 'The request has a member that is not known here.' },
      {
        ...refused,
        error_description: 'The request is not accepted: Invalid input: expected object, received string',
      },
      {
        ...refused,
        agent_id: 'unknown',
        error_description: "Member checksum_profile is not accepted: must be 'jcs' or 'reference'",
      },
    ],
  })
  assert.deepEqual(await versionsOf(client), [])
  const rows = await auditOf(client.client_id)
  assert.deepEqual(
    rows.map(row => [row.action, row.outcome, row.reason]),
    [['agent.batch_register', 'refused', 'batch_refused']],
  )
})

test('numbers of profile reference keep their form also behind a malformed item (section 4, ADR 11)', async () => {
  const client = await givenClient(app)
  const written = (agent_id: string, literal: string) => {
    const configuration = { temperature: JSON.rawJSON(literal) }
    return { agent_id, prompt_template: 'A', tools: [], configuration }
  }
  const claimed = referenceChecksum(written('exact', '0.0'))
  const item = (literal: string) => ({
    app_id: client.client_id,
    checksum_profile: 'reference',
    agent_components: written('exact', literal),
    claimed_checksum: claimed,
  })
  const second = async (literal: string) => (await batch(client, [{}, item(literal)])).body.results[1]
  assert.deepEqual(await second('0.0'), { agent_id: 'exact', status: 'not_registered' })
  assert.deepEqual(await second('0'), {
    agent_id: 'exact',
    status: 'refused',
    error: 'agent_checksum_mismatch',
    error_description: 'The claimed checksum is not that of the components as received.',
  })
})

test('a batch is done once under its Idempotency-Key, and again only under another (section 11)', async () => {
  const client = await givenClient(app)
  const requests = [request(client, 'one'), request(client, 'two')]
  const key = { 'idempotency-key': 'batch-1' }
  const first = await batch(client, requests, key)
  const again = await batch(client, requests, key)
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [200, 'true'])
  assert.deepEqual(again.body, first.body)
  assert.equal((await batch(client, requests.slice(1), key)).status, 422)
  assert.deepEqual(await versionsOf(client), ['one 1 active', 'two 1 active'])
  assert.equal((await batch(client, requests, { 'idempotency-key': 'batch-2' })).status, 400)
})

test('agents are locked in one order, whatever order and case they were sent in (section 4)', async () => {
  for (const ids of [
    ['B', 'a', 'c'],
    ['c', 'A', 'b'],
  ]) {
    const client = await givenClient(app)
    const requests = ids.map(id => request(client, id))
    assert.equal((await batch(client, requests)).status, 200)
    // Rows of one table lie in the order in which they were written.
    const rows = await ctx.db
      .selectFrom('agent')
      .select('agent_id')
      .where('client_id', '=', client.client_id)
      .orderBy(sql`ctid`)
      .execute()
    assert.deepEqual(
      rows.map(row => row.agent_id.toLowerCase()),
      ['a', 'b', 'c'],
    )
  }
})

/** Keys in the order of their thumbprints. */
async function sortedKeys(count: number): Promise<TestKey[]> {
  const keys = await Promise.all(Array.from({ length: count }, generateKey))
  return keys.toSorted((a, b) => (a.jkt < b.jkt ? -1 : 1))
}

/** Runs both while these keys are being bound elsewhere, until two sessions wait; then lets them go on. */
async function bothPast(held: readonly TestKey[], one: () => Promise<Sent>, two: () => Promise<Sent>) {
  const client = await givenClient(app)
  await givenAgent(app, client, 'holder')
  const holding = await ctx.db.startTransaction().execute()
  const keys = held.map(({ jkt, jwk }) => ({ jkt, jwk }))
  const row = { client_id: client.client_id, agent_id: 'holder', source: 'registered' as const, added_at: ctx.now() }
  await holding
    .insertInto('agent_key')
    .values(keys.map(({ jkt, jwk }) => ({ ...row, jkt, jwk: JSON.stringify(jwk) })))
    .execute()
  const first = one()
  await sessionsWait(1)
  const second = two()
  await sessionsWait(2)
  await holding.rollback().execute()
  return [(await first).status, (await second).status]
}

async function sessionsWait(count: number): Promise<void> {
  const waiting = sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  for (let turn = 0; turn < 4_000; turn += 1) if (((await waiting.execute(ctx.db)).rows[0]?.n ?? 0) >= count) return
  throw new Error('they do not wait')
}

function withKey(client: GivenClient, agent_id: string, ...keys: readonly TestKey[]) {
  return request(client, agent_id, { jwks: { keys: keys.map(key => key.jwk) } })
}

test('two batches with the same keys, in opposite orders, do not block each other: one is refused (section 4)', async () => {
  const [one, two] = [await givenClient(app), await givenClient(app)]
  const [a, b, heldByOne, heldByTwo] = await sortedKeys(4)
  assert.ok(a && b && heldByOne && heldByTwo)
  const statuses = await bothPast(
    [heldByOne, heldByTwo],
    () => batch(one, [withKey(one, 'a', a), withKey(one, 'b', heldByOne), withKey(one, 'c', b)]),
    () => batch(two, [withKey(two, 'a', b), withKey(two, 'b', heldByTwo), withKey(two, 'c', a)]),
  )
  assert.deepEqual(statuses, [200, 400])
})

test('a batch and a single registration do not block each other by an agent and a key (section 4)', async () => {
  const client = await givenClient(app)
  const [held, shared, other] = await sortedKeys(3)
  assert.ok(held && shared && other)
  const statuses = await bothPast(
    [held],
    () => batch(client, [withKey(client, 'a', shared), withKey(client, 'm', held), withKey(client, 'z', other)]),
    () => batch(client, [withKey(client, 'z', shared)], {}, '/intent/register/agent'),
  )
  assert.deepEqual(statuses, [200, 400])
})

test('[attack 103] a batch is of 1 to 64 requests, and no longer than four of the longest (section 4)', async () => {
  const client = await givenClient(app)
  const many = Array.from({ length: 65 }, (_, n) => request(client, `n-${n}`))
  for (const requests of [[], many]) assert.equal((await batch(client, requests)).status, 400)
  assert.equal((await batch(client, many.slice(1))).status, 200)
  const long = (n: number, length: number) =>
    request(client, `long-${n}`, {
      agent_components: { agent_id: `long-${n}`, prompt_template: 'a'.repeat(length), tools: [] },
    })
  assert.equal((await batch(client, [long(1, 1_500_000), long(2, 1_500_000)])).status, 200)
  assert.equal((await batch(client, [long(3, 2_500_000), long(4, 2_500_000)])).status, 413)
})
