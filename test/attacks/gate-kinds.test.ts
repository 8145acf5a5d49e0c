import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import { testKey } from '../protocol/forge.ts'
import { jsonOf } from '../support/json-of.ts'
import { type Answer, agentGrant, clientCredentials, exchange, proofOf, send, signed, tokenRequest } from './attempt.ts'
import { type Watched, waitsFor, watch, withTableHeld } from './gate-watch.ts'
import {
  type GivenAgent,
  givenAgent,
  givenClient,
  givenWorkflow,
  givenWorld,
  READ_API,
  thumbprint,
  tokenHash,
} from './given.ts'
import { startNode } from './node.ts'

const world = await givenWorld()
const { ctx, client, planner } = world
const node = await startNode(world)
const { adminUrl, issuer } = world.app
const operator = await givenClient(ctx, 'gate-operator', {
  access: [{ resource: ctx.config.adminAudience, scope: 'revoke admin:keys' }],
})
let adminToken = await newAdminToken()

async function newAdminToken(): Promise<string> {
  const asAdmin = clientCredentials(world, operator)
  asAdmin.params = { ...asAdmin.params, scope: 'revoke admin:keys', resource: ctx.config.adminAudience }
  return String((await send(world, asAdmin)).body.access_token)
}

async function revoke(kind: string, id: string): Promise<Answer> {
  const path = '/admin/v1/revocations'
  const proof = proofOf(world, operator.dpopKey, path)
  Object.assign(proof.payload, { htu: `${adminUrl}${path}`, ath: tokenHash(adminToken) })
  const { host, port } = new URL(adminUrl)
  const headers = ['Host', host, 'Content-Type', 'application/json', 'Authorization', `DPoP ${adminToken}`]
  const body = JSON.stringify({ kind, id, reason: 'test' })
  return await exchange(Number(port), path, [...headers, 'DPoP', signed(proof)], body)
}

function inStep(agent: GivenAgent, workflow_id: string) {
  const attempt = agentGrant(world, '/intent/token', agent)
  Object.assign(attempt.params, { workflow_enabled: true, workflow_id, workflow_step: 'plan' })
  return attempt
}

async function isActive(answer: Answer, port?: number): Promise<unknown> {
  const token = String(answer.body.access_token)
  return (await send(world, tokenRequest(world, '/oauth/introspect', client, token), port)).body.active
}

async function reasons(agent_id: string | null): Promise<(string | null)[]> {
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select('reason')
    .where('agent_id', agent_id === null ? 'is' : '=', agent_id)
    .where('action', '=', 'token.issue')
    .where('outcome', '=', 'refused')
    .orderBy('id')
    .execute()
  return rows.map(row => row.reason)
}

test('[attack 116] a revoke of a workflow waits for a mint under way, and its token is dead at both nodes (section 9)', async () => {
  await givenWorkflow(ctx, client, 'under-way', [{ step_id: 'plan', agent_id: 'planner' }])
  let minting: Watched<Answer> | undefined
  let revoking: Watched<Answer> | undefined
  await withTableHeld(world, 'token', async () => {
    minting = watch(send(world, inStep(planner, 'under-way'), node.port))
    assert.ok(await waitsFor(world, 'token', minting))
    revoking = watch(revoke('workflow', 'patcher/under-way'))
    assert.ok(await waitsFor(world, 'gate', revoking), 'the revoke answered while a mint that it covers was under way')
  })
  const minted = await minting?.promise
  const revoked = await revoking?.promise
  assert.ok(minted)
  assert.deepEqual([minted.status, revoked?.status, revoked?.body.live_tokens], [200, 201, 1])
  assert.deepEqual([await isActive(minted), await isActive(minted, node.port)], [false, false])
  const after = await send(world, inStep(planner, 'under-way'), node.port)
  assert.deepEqual([after.status, after.body.error], [403, 'workflow_step_unauthorized'])
})

test('[attack 116] a mint in a workflow waits for the revoke that is writing, and then mints nothing (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'waiting')
  await givenWorkflow(ctx, client, 'going', [{ step_id: 'plan', agent_id: 'waiting' }])
  const before = await send(world, inStep(agent, 'going'))
  assert.equal(before.status, 200)
  let minting: Watched<Answer> | undefined
  let revoking: Watched<Answer> | undefined
  await withTableHeld(world, 'revocation', async () => {
    revoking = watch(revoke('workflow', 'patcher/going'))
    assert.ok(await waitsFor(world, 'revocation', revoking))
    minting = watch(send(world, inStep(agent, 'going'), node.port))
    assert.ok(await waitsFor(world, 'gate', minting), 'the mint went past a revoke that was writing')
  })
  assert.equal((await revoking?.promise)?.status, 201)
  const answer = await minting?.promise
  assert.deepEqual([answer?.status, answer?.body.error], [403, 'workflow_step_unauthorized'])
  assert.deepEqual(await reasons('waiting'), ['unknown_workflow'])
  assert.equal(await isActive(before, node.port), false)
})

test('a mint is judged by the version that replaced the judged one while it stood at the gate (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'replaced')
  await givenWorkflow(ctx, client, 'changing', [{ step_id: 'plan', agent_id: 'replaced' }])
  let minting: Watched<Answer> | undefined
  let revoking: Watched<Answer> | undefined
  await withTableHeld(world, 'revocation', async () => {
    revoking = watch(revoke('initiator', 'user:corp:nobody'))
    assert.ok(await waitsFor(world, 'revocation', revoking))
    minting = watch(send(world, inStep(agent, 'changing')))
    assert.ok(await waitsFor(world, 'gate', minting))
    await givenWorkflow(ctx, client, 'changing', [{ step_id: 'other', agent_id: 'replaced' }])
  })
  await revoking?.promise
  const answer = await minting?.promise
  assert.deepEqual([answer?.status, answer?.body.error], [403, 'workflow_step_unauthorized'])
  assert.deepEqual(await reasons('replaced'), ['unknown_step'])
})

test('[attack 116] deregistering a workflow waits for a mint under way; the next one is refused (section 5)', async () => {
  const owner = await givenClient(ctx, 'ending', {
    access: [
      { resource: READ_API, scope: 'read' },
      { resource: issuer, scope: 'generate:intent-token register:workflow' },
    ],
  })
  const agent = await givenAgent(ctx, owner, 'worker', { grant: { access: [{ resource: READ_API, scope: 'read' }] } })
  await givenWorkflow(ctx, owner, 'ends', [{ step_id: 'plan', agent_id: 'worker' }])
  const asked = { ...clientCredentials(world, owner), proof: undefined }
  asked.params = { ...asked.params, scope: 'register:workflow', resource: issuer }
  const bearer = String((await send(world, asked)).body.access_token)
  const { host, port } = new URL(issuer)
  const headers = ['Host', host, 'Authorization', `Bearer ${bearer}`]
  const path = '/intent/deregister/workflow?workflow_id=ends&close=true'
  let minting: Watched<Answer> | undefined
  let ending: Watched<Answer> | undefined
  await withTableHeld(world, 'token', async () => {
    minting = watch(send(world, inStep(agent, 'ends'), node.port))
    assert.ok(await waitsFor(world, 'token', minting))
    ending = watch(exchange(Number(port), path, headers, ''))
    assert.ok(await waitsFor(world, 'gate', ending), 'it answered while a mint in the workflow was under way')
  })
  assert.equal((await minting?.promise)?.status, 200)
  // The mint opened an execution: it is seen, because the mint was waited for.
  const ended = await ending?.promise
  assert.deepEqual([ended?.status, ended?.body.closed], [200, 1])
  const after = await send(world, inStep(agent, 'ends'), node.port)
  assert.deepEqual([after.status, after.body.error], [403, 'workflow_step_unauthorized'])
})

test('[attack 116] an initiator that was revoked starts nothing, at no node, until its entry ends (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'starter')
  const plain = await givenClient(ctx, 'plain-starter')
  const minted = await send(world, agentGrant(world, '/intent/token', agent))
  assert.equal((await revoke('initiator', 'agent:patcher:starter')).status, 201)
  assert.equal((await revoke('initiator', 'plain-starter')).status, 201)
  assert.deepEqual([await isActive(minted), await isActive(minted, node.port)], [false, false])
  const refused = await send(world, agentGrant(world, '/intent/token', agent), node.port)
  assert.deepEqual([refused.status, refused.body.error], [401, 'unknown_agent'])
  const byClient = await send(world, clientCredentials(world, plain), node.port)
  assert.deepEqual([byClient.status, byClient.body.error], [400, 'unauthorized_client'])
  assert.deepEqual(await reasons('starter'), ['initiator_revoked'])
  world.app.clock.advance(960)
  adminToken = await newAdminToken()
  assert.equal((await send(world, agentGrant(world, '/intent/token', agent), node.port)).status, 200)
  assert.equal((await send(world, clientCredentials(world, plain), node.port)).status, 200)
})

test('[attack 116] a key that was revoked binds no token of an agent or a client any more, at no node (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'key-lost')
  const minted = await send(world, agentGrant(world, '/oauth/token', agent))
  assert.equal((await revoke('key', await thumbprint(agent.key))).body.live_tokens, 1)
  assert.equal(await isActive(minted, node.port), false)
  const answer = await send(world, agentGrant(world, '/oauth/token', agent), node.port)
  assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_dpop_proof'])
  const own = testKey('ES256')
  const byOwn = () => ({ ...clientCredentials(world), proof: proofOf(world, own, '/oauth/token') })
  assert.equal((await send(world, byOwn(), node.port)).status, 200)
  assert.equal((await revoke('key', await thumbprint(own))).status, 201)
  const other = await send(world, byOwn(), node.port)
  assert.deepEqual([other.status, other.body.error], [400, 'invalid_dpop_proof'])
  assert.ok((await reasons(null)).includes('key_revoked'))
})

test('[attack 117] another node that still has a revoked key of ours signs nothing with it: 503, then the new key (section 9)', async () => {
  const old = await send(world, clientCredentials(world), node.port)
  const { kid = '' } = decodeProtectedHeader(String(old.body.access_token))
  const revoked = await revoke('key', kid)
  assert.equal(revoked.status, 201, revoked.text)
  const { keys } = await jsonOf(await fetch(`${issuer}/.well-known/jwks.json`))
  assert.ok(!JSON.stringify(keys).includes(kid))
  assert.deepEqual([await isActive(old), await isActive(old, node.port)], [false, false])

  const met = await send(world, clientCredentials(world), node.port)
  assert.deepEqual([met.status, met.body.error], [503, 'temporarily_unavailable'])
  assert.equal(met.headers['retry-after'], '1')
  assert.ok((await reasons(null)).includes('signing_key_revoked'))
  const good = await send(world, clientCredentials(world), node.port)
  assert.equal(good.status, 200)
  assert.notEqual(decodeProtectedHeader(String(good.body.access_token)).kid, kid)
  assert.deepEqual([await isActive(good), await isActive(good, node.port)], [true, true])
  adminToken = await newAdminToken()
})

test('[attack 117] a node that has not read its keys knows the token of a new one all the same, and signs no answer with the old', async () => {
  const fresh = await startNode(world)
  const { kid } = await ctx.keys.signer('ES256')
  assert.equal((await revoke('key', kid)).status, 201)
  const minted = await send(world, clientCredentials(world))
  world.app.clock.advance(1)
  const asked = tokenRequest(world, '/oauth/introspect', client, String(minted.body.access_token))
  asked.headers = { Accept: 'application/token-introspection+jwt' }
  const answer = await send(world, asked, fresh.port)
  assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'application/token-introspection+jwt'])
  assert.notEqual(decodeProtectedHeader(answer.text).kid, kid)

  const stale = await startNode(world)
  adminToken = await newAdminToken()
  const { kid: next } = await ctx.keys.signer('ES256')
  assert.equal((await revoke('key', next)).status, 201)
  const unknown = tokenRequest(world, '/oauth/introspect', client, 'x')
  unknown.headers = { Accept: 'application/token-introspection+jwt' }
  const met = await send(world, unknown, stale.port)
  assert.deepEqual([met.status, met.body.error], [503, 'temporarily_unavailable'])
  await Promise.all([fresh.close(), stale.close()])
})
