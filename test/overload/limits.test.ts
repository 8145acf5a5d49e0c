import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { Context } from '../../src/server/context.ts'
import { openDatabase } from '../../src/server/store/database.ts'
import { purgeCounts } from '../../src/server/store/request-counts.ts'
import { type Answer, type Attempt, agentGrant, clientCredentials, send, tokenRequest } from '../attacks/attempt.ts'
import { givenClient, givenWorld, type World } from '../attacks/given.ts'
import { startNode } from '../attacks/node.ts'
import { accessToken, boundHeaders, givenAdmin } from '../support/given.ts'
import { bare } from './bare.ts'

const statuses = (answers: readonly { readonly status: number }[]) => answers.map(({ status }) => status)

async function sendTimes(world: World, times: number, make: () => Attempt, port?: number): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (let n = 0; n < times; n += 1) answers.push(await send(world, make(), port))
  return answers
}

async function exchangeAll(...nodes: readonly Context[]): Promise<void> {
  for (const ctx of nodes) await ctx.limits.exchange(ctx)
}

function assertHeld(answer: Answer): void {
  assert.deepEqual([answer.status, answer.body.error], [429, 'temporarily_unavailable'], answer.text)
  assert.match(String(answer.headers['retry-after']), /^([1-9]|[1-5]\d|60)$/)
}

test('[attack 119] the rate of a client holds over two nodes within a second of exchange, and is one audit row', async () => {
  const world = await givenWorld({ env: { REMIT_CLIENT_RATE: '12' } })
  const { ctx } = world
  const node = await startNode(world)
  const mint = () => clientCredentials(world)
  assert.deepEqual(new Set(statuses(await sendTimes(world, 5, mint))), new Set([200]))
  assert.deepEqual(new Set(statuses(await sendTimes(world, 6, mint, node.port))), new Set([200]))
  await exchangeAll(ctx, node.ctx)
  // A node knows what had been told when it told last; what comes in until the next exchange can be too much.
  assert.deepEqual(statuses(await sendTimes(world, 2, mint, node.port)), [200, 429])
  assert.deepEqual(statuses(await sendTimes(world, 1, mint)), [200])
  await exchangeAll(node.ctx, ctx)
  for (const path of ['/oauth/introspect', '/oauth/revoke'] as const) {
    assertHeld(await send(world, tokenRequest(world, path, world.client, 'x'), node.port))
  }
  assertHeld(await send(world, agentGrant(world, '/intent/token', world.solo)))
  // Another client is not touched, and what the slow one may do does not depend on what it was refused.
  const other = await givenClient(ctx)
  assert.equal((await send(world, clientCredentials(world, other))).status, 200)
  await exchangeAll(ctx, node.ctx)
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'actor', 'client_id', 'details'])
    .where('reason', '=', 'client_rate')
    .orderBy('id')
    .execute()
  const rowOf = (...endpoints: readonly string[]) => ({
    ...{ action: 'request.refuse', outcome: 'refused', actor: 'patcher', client_id: 'patcher' },
    details: { counts: endpoints.map(endpoint => ({ endpoint, address: '127.0.0.1', n: 1 })) },
  })
  const byDetails = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
  assert.deepEqual(
    rows.toSorted(byDetails),
    [rowOf('/oauth/token'), rowOf('/intent/token'), rowOf('/oauth/introspect', '/oauth/revoke')].toSorted(byDetails),
  )
  world.app.clock.advance(110)
  assert.equal((await send(world, mint())).status, 200)
})

test('the rate of a client counts its registrations, too, and leaves administration alone', async () => {
  const world = await givenWorld({ env: { REMIT_CLIENT_RATE: '3' } })
  const { app, ctx } = world
  const asked = { ...clientCredentials(world), proof: undefined }
  const minted = await send(world, {
    ...asked,
    params: { ...asked.params, resource: app.issuer, scope: 'register:intent' },
  })
  const register = () =>
    fetch(`${app.issuer}/intent/register/agent`, {
      ...{ method: 'POST', body: '{}' },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${minted.body.access_token}` },
    })
  const answers = [await register(), await register(), await register()]
  assert.deepEqual(statuses(answers), [400, 400, 429])
  assert.match(answers[2]?.headers.get('retry-after') ?? '', /^[1-9]/)
  await ctx.unauthenticated.flush(ctx)
  const counted = await ctx.db.selectFrom('audit_event').select('id').where('reason', '=', 'unauthenticated').execute()
  assert.deepEqual(counted, [])
  const admin = await givenAdmin(app)
  for (let n = 0; n < 3; n += 1) ctx.limits.client(admin.client_id, { endpoint: '', address: '127.0.0.1' })
  const url = `${app.adminUrl}/admin/v1/clients`
  assert.throws(() => ctx.limits.client(admin.client_id, { endpoint: '', address: '127.0.0.1' }))
  app.clock.advance(110)
  const token = await accessToken(app, admin, { resource: `${app.issuer}/admin`, scope: 'admin:clients' })
  for (let n = 0; n < 5; n += 1) {
    const headers = await boundHeaders(app, admin, token, { method: 'GET', url })
    assert.equal((await fetch(url, { headers })).status, 200)
  }
})

test('[attack 119] the rate of an address is judged before a body or a credential is, and not of health and keys', async () => {
  const world = await givenWorld({ env: { REMIT_ADDRESS_RATE: '5', REMIT_TRUST_PROXY: '127.0.0.1' } })
  const from = (address: string, attempt: Attempt) => ({ ...attempt, headers: { 'X-Forwarded-For': address } })
  const garbage = { ...bare(clientCredentials(world)), body: '%', params: {} }
  const answers = await sendTimes(world, 5, () => from('203.0.113.1', garbage))
  assert.deepEqual(new Set(statuses(answers)), new Set([400]))
  assertHeld(await send(world, from('203.0.113.1', garbage)))
  assertHeld(await send(world, from('203.0.113.1', clientCredentials(world))))
  const registration = await fetch(`${world.app.issuer}/intent/register/agent`, {
    ...{ method: 'POST', headers: { 'x-forwarded-for': '203.0.113.1' } },
  })
  assert.equal(registration.status, 429)
  assert.equal((await send(world, from('203.0.113.2', clientCredentials(world)))).status, 200)
  for (const path of ['/healthz', '/readyz', '/.well-known/jwks.json', '/.well-known/oauth-authorization-server']) {
    const headers = { 'x-forwarded-for': '203.0.113.1' }
    assert.equal((await fetch(`${world.app.issuer}${path}`, { headers })).status, 200, path)
  }
  // A network of one host counts as one.
  const inNetwork = (n: number) => from(`2001:db8:0:1::${n}`, garbage)
  for (let n = 1; n <= 5; n += 1) assert.equal((await send(world, inNetwork(n))).status, 400)
  assertHeld(await send(world, inNetwork(6)))
})

test('[attack 29] wrong secrets at two nodes are held back together (protocol.md section 3)', async () => {
  const world = await givenWorld()
  const node = await startNode(world)
  const client = await givenClient(world.ctx, undefined, { token_endpoint_auth_method: 'client_secret_post' })
  const guess = () => clientCredentials(world, { ...client, client_secret: 'wrong' })
  assert.deepEqual(new Set(statuses(await sendTimes(world, 10, guess))), new Set([401]))
  assert.deepEqual(new Set(statuses(await sendTimes(world, 10, guess, node.port))), new Set([401]))
  await exchangeAll(world.ctx, node.ctx)
  assertHeld(await send(world, guess(), node.port))
  // The first has heard of it in the second after its next failure.
  assert.equal((await send(world, guess())).status, 401)
  await exchangeAll(world.ctx)
  assertHeld(await send(world, guess()))
})

const wrongChecksum = () => `sha256:${randomBytes(32).toString('hex')}`

test('[attack 119] after 20 different wrong checksums of an agent from one address all from there are held back', async () => {
  const world = await givenWorld({ env: { REMIT_TRUST_PROXY: '127.0.0.1' } })
  const node = await startNode(world)
  const { solo, planner } = world
  const from = (address: string, checksum?: string, agent = solo) => {
    const attempt = agentGrant(world, '/oauth/token', agent)
    const params = { ...attempt.params, ...(checksum !== undefined && { computed_checksum: checksum }) }
    return { ...attempt, params, headers: { 'X-Forwarded-For': address } }
  }
  const guess = () => from('203.0.113.1', wrongChecksum())
  assert.deepEqual(new Set(statuses(await sendTimes(world, 10, guess))), new Set([400]))
  assert.deepEqual(new Set(statuses(await sendTimes(world, 10, guess, node.port))), new Set([400]))
  await exchangeAll(world.ctx, node.ctx)
  assertHeld(await send(world, guess(), node.port))
  assert.equal((await send(world, guess())).status, 400)
  await exchangeAll(world.ctx)
  assertHeld(await send(world, guess()))
  // The right one would be an answer, too.
  assertHeld(await send(world, from('203.0.113.1')))
  // Nobody locks out the agent where it lives, or another agent here.
  assert.equal((await send(world, from('203.0.113.2'))).status, 200)
  assert.equal((await send(world, from('203.0.113.1', wrongChecksum(), planner))).status, 400)
})

test('a rollout with many old processes does not lock its own agent out', async () => {
  const world = await givenWorld()
  const node = await startNode(world)
  const { solo } = world
  const old = [wrongChecksum(), wrongChecksum()]
  const of = (computed_checksum: string) => {
    const attempt = agentGrant(world, '/oauth/token', solo)
    return { ...attempt, params: { ...attempt.params, computed_checksum } }
  }
  for (let round = 0; round < 15; round += 1) {
    for (const checksum of old) {
      for (const port of [undefined, node.port]) assert.equal((await send(world, of(checksum), port)).status, 400)
    }
  }
  await exchangeAll(world.ctx, node.ctx)
  for (const port of [undefined, node.port]) {
    assert.equal((await send(world, agentGrant(world, '/oauth/token', solo), port)).status, 200)
  }
})

test('where the nodes cannot exchange, each holds the rate by what it knows, and tells later', async () => {
  const world = await givenWorld({ env: { REMIT_CLIENT_RATE: '5' } })
  const { ctx } = world
  const node = await startNode(world)
  const mint = () => clientCredentials(world)
  await sendTimes(world, 4, mint)
  const away = openDatabase({ connectionString: 'postgres://127.0.0.1:1/none' })
  await assert.rejects(ctx.limits.exchange({ ...ctx, db: away }))
  await away.destroy()
  assert.deepEqual(statuses(await sendTimes(world, 2, mint)), [200, 429])
  assert.equal((await send(world, mint(), node.port)).status, 200)
  await exchangeAll(ctx, node.ctx)
  assertHeld(await send(world, mint(), node.port))
})

test('counts of the last minutes are kept in few rows, and no longer', async () => {
  const world = await givenWorld({ env: { REMIT_CLIENT_RATE: '2560', REMIT_ADDRESS_RATE: '99999' } })
  const { ctx } = world
  const rows = async () => {
    const found = await ctx.db
      .selectFrom('request_count')
      .select(['counted', 'n'])
      .orderBy('counted')
      .limit(9)
      .execute()
    return found.map(({ counted, n }) => [counted, n])
  }
  const from = { endpoint: '/oauth/token', address: '127.0.0.1' }
  for (let n = 0; n < 9; n += 1) ctx.limits.client('one', from)
  await ctx.limits.exchange(ctx)
  assert.deepEqual(await rows(), [])
  ctx.limits.client('one', from)
  await ctx.limits.exchange(ctx)
  await ctx.limits.exchange(ctx)
  assert.deepEqual(await rows(), [['client one', 10]])
  world.app.clock.advance(300)
  await purgeCounts(ctx)
  assert.deepEqual(await rows(), [])
})
