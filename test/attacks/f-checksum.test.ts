import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKey } from '../protocol/forge.ts'
import { agentGrant, clientCredentials, proofOf, send } from './attempt.ts'
import { type GivenAgent, givenAgent, givenClient, givenWorld } from './given.ts'
import { type Expected, refused } from './refused.ts'

const world = await givenWorld()
const { ctx, client, solo } = world
const PATHS = ['/oauth/token', '/intent/token'] as const

function mismatch(path: (typeof PATHS)[number], reason = 'agent_checksum_mismatch'): Expected {
  return path === '/intent/token'
    ? { status: 401, error: 'agent_checksum_mismatch', reason, audited: true }
    : { status: 400, error: 'invalid_grant', ajwt_error: 'agent_checksum_mismatch', reason, audited: true }
}

function unknownAgent(path: (typeof PATHS)[number], reason: string): Expected {
  return path === '/intent/token'
    ? { status: 401, error: 'unknown_agent', reason, audited: true }
    : { status: 400, error: 'invalid_grant', ajwt_error: 'unknown_agent', reason, audited: true }
}

test('[attack 81] a copied checksum and a stolen client token mint nothing without the agent’s key (draft T1)', async () => {
  const asked = { ...clientCredentials(world), proof: undefined }
  asked.params = { ...asked.params, scope: 'generate:intent-token', resource: world.app.issuer }
  const { access_token } = (await send(world, asked)).body
  const stolen = () => ({ assertion: undefined, headers: { Authorization: `Bearer ${access_token}` } })
  for (const path of PATHS) {
    const good = { ...agentGrant(world, path, solo), ...stolen() }
    const thief = proofOf(world, testKey('ES256'), path)
    const base = { status: 400, error: 'invalid_dpop_proof', ajwt_error: 'agent_key_mismatch', audited: true }
    const expected = { ...base, reason: 'agent_key_mismatch' }
    await refused(world, { ...good, proof: thief }, expected, agentGrant(world, path, solo))
    await refused(world, { ...good, proof: undefined }, { ...expected, reason: 'proof_required' }, good)
  }
})

test('[attack 82] the checksum of an older version is that of no version (draft section 5.5.2)', async () => {
  const old = await givenAgent(ctx, client, 'versioned', { prompt: 'one' })
  const latest = await givenAgent(ctx, client, 'versioned', { prompt: 'two', key: old.key })
  for (const path of PATHS) {
    await refused(world, agentGrant(world, path, old), mismatch(path), agentGrant(world, path, latest))
  }
})

test('[attack 82] a draining version mints until its time is over, a pending one never (section 4)', async () => {
  const own = await givenWorld()
  const draining = await givenAgent(own.ctx, own.client, 'draining', { prompt: 'one' })
  const latest = await givenAgent(own.ctx, own.client, 'draining', { prompt: 'two', key: draining.key })
  const drains_until = new Date(own.app.clock.now().getTime() + 10_000)
  const { registration_id } = draining
  await own.ctx.db
    .updateTable('registration')
    .set({ status: 'draining', drains_until })
    .where('registration_id', '=', registration_id)
    .execute()
  assert.equal((await send(own, agentGrant(own, '/oauth/token', draining))).status, 200)
  own.app.clock.advance(10)
  const good = () => agentGrant(own, '/oauth/token', latest)
  await refused(own, agentGrant(own, '/oauth/token', draining), mismatch('/oauth/token'), good())
  await own.ctx.db
    .updateTable('registration')
    .set({ status: 'pending' })
    .where('registration_id', '=', registration_id)
    .execute()
  await refused(own, agentGrant(own, '/oauth/token', draining), mismatch('/oauth/token'), good())
})

test('[attack 90] what a shim says of itself changes nothing', async () => {
  const shim = { 'X-Shim-Checksum': `sha256 ${'0'.repeat(64)}` }
  const attempt = agentGrant(world, '/intent/token', solo)
  assert.equal((await send(world, { ...attempt, headers: shim })).status, 200)
  const wrong = agentGrant(world, '/intent/token', solo)
  wrong.params.computed_checksum = '0'.repeat(64)
  const claimed = { 'X-Shim-Checksum': `sha256 ${solo.checksum}` }
  const good = agentGrant(world, '/intent/token', solo)
  await refused(world, { ...wrong, headers: claimed }, mismatch('/intent/token'), good)
})

test('[attack 91] a checksum is sha256 and 64 lowercase hex digits, or the digits alone (section 4)', async () => {
  const { checksum } = solo
  const forms = [
    checksum.toUpperCase(),
    `md5:${checksum.slice(0, 32)}`,
    `sha512:${checksum}`,
    checksum.slice(1),
    ` ${checksum}`,
    `sha256: ${checksum}`,
    `SHA256:${checksum}`,
    [checksum],
    1,
    null,
  ]
  for (const computed_checksum of forms) {
    const attempt = agentGrant(world, '/intent/token', solo)
    attempt.params.computed_checksum = computed_checksum
    const reason = typeof computed_checksum === 'string' ? 'malformed_checksum' : 'malformed_parameter'
    const expected = { status: 400, error: 'invalid_request', reason, audited: false }
    await refused(world, attempt, expected, agentGrant(world, '/intent/token', solo))
  }
  const bare = agentGrant(world, '/oauth/token', solo)
  bare.params.computed_checksum = checksum
  assert.equal((await send(world, bare)).status, 200)
})

test('[attack 92] [attack 93] another client’s agent answers exactly like one that does not exist (draft T12)', async () => {
  const rival = await givenClient(ctx)
  const foreign = await givenAgent(ctx, rival, 'rivals-agent')
  for (const path of PATHS) {
    const asMine: GivenAgent = { ...foreign, client }
    const expected = unknownAgent(path, 'unknown_agent')
    const one = await refused(world, agentGrant(world, path, asMine), expected, agentGrant(world, path, solo))
    const nobody = { ...asMine, agent_id: 'nobody-at-all' }
    const two = await refused(world, agentGrant(world, path, nobody), expected, agentGrant(world, path, solo))
    assert.equal(one.text, two.text)
  }
})

test('[attack 92] a suspended, a revoked and an unknown agent answer alike, and the trail knows the difference', async () => {
  const agent = await givenAgent(ctx, client, 'suspended')
  const texts: string[] = []
  for (const status of ['suspended', 'revoked'] as const) {
    await ctx.db.updateTable('agent').set({ status }).where('agent_id', '=', 'suspended').execute()
    const expected = unknownAgent('/oauth/token', 'agent_not_active')
    const good = agentGrant(world, '/oauth/token', solo)
    texts.push((await refused(world, agentGrant(world, '/oauth/token', agent), expected, good)).text)
  }
  const unknown = await send(world, agentGrant(world, '/oauth/token', { ...agent, agent_id: 'unknown' }))
  assert.deepEqual(new Set([...texts, unknown.text]).size, 1)
})

test('[attack 81] a client that may not mint intent tokens mints none, with whatever it has (row 3 of section 6)', async () => {
  const grantless = await givenClient(ctx, undefined, { grant_types: ['client_credentials'] })
  const scopeless = await givenClient(ctx, undefined, {
    access: [{ resource: 'https://read.example.com', scope: 'read' }],
  })
  for (const [other, reason] of [
    [grantless, 'unauthorized_client'],
    [scopeless, 'no_intent_token_scope'],
  ] as const) {
    const agent = await givenAgent(ctx, other, 'agent', { grant: { access: [] } })
    const expected = { status: 400, error: 'unauthorized_client', reason, audited: true }
    await refused(world, agentGrant(world, '/oauth/token', agent), expected, clientCredentials(world, other))
  }
  const agentOnly = await givenClient(ctx, undefined, { grant_types: ['agent_checksum'] })
  const expected = { status: 400, error: 'unauthorized_client', reason: 'unauthorized_client', audited: true }
  await refused(world, clientCredentials(world, agentOnly), expected, clientCredentials(world))
})
