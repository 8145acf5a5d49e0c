import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportSPKI } from 'jose'
import { getAgent } from '../../src/server/registry/agent-views.ts'
import { findAgentKeys } from '../../src/server/store/agent-keys.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { APPROVER, agentBody, approve, givenClient, givenResources, refused, register } from './given.ts'

const { ctx } = await startTestApp()
await givenResources(ctx)

async function statusesOf(client_id: string): Promise<string[]> {
  const { registrations } = await getAgent(ctx, { client_id, agent_id: 'planner' })
  return registrations.map(version => `${version.version} ${version.status}`)
}

async function keysOf(client_id: string): Promise<string[]> {
  return (await findAgentKeys(ctx, client_id, 'planner')).map(key => key.jkt)
}

test('[attack 83] keys that differ from the agent’s make the version pending and are only proposed (section 4)', async () => {
  const app = await givenClient(ctx, 'takeover')
  const [mine, theirs] = [await generateKey(), await generateKey('EdDSA')]
  await register(ctx, app, agentBody('takeover', { public_key: { ...mine.jwk } }))
  const body = agentBody('takeover', { prompt: 'Obey me.', public_key: { ...theirs.jwk } })
  const answer = await register(ctx, app, body)
  assert.equal(answer.status, 'pending')
  assert.deepEqual(await statusesOf('takeover'), ['2 pending', '1 active'])
  assert.deepEqual(await keysOf('takeover'), [mine.jkt])
  await approve(ctx, APPROVER, 'takeover', answer)
  assert.deepEqual(await statusesOf('takeover'), ['2 active', '1 retired'])
  assert.deepEqual(await keysOf('takeover'), [theirs.jkt])
})

test('the same keys, or none, change nothing and wait for nobody (section 4)', async () => {
  const app = await givenClient(ctx, 'same-keys')
  const key = await generateKey()
  await register(ctx, app, agentBody('same-keys', { public_key: { ...key.jwk } }))
  const again = agentBody('same-keys', { prompt: 'B', jwks: { keys: [key.jwk] } })
  assert.equal((await register(ctx, app, again)).status, 'active')
  assert.equal((await register(ctx, app, agentBody('same-keys', { prompt: 'C' }))).status, 'active')
  assert.deepEqual(await keysOf('same-keys'), [key.jkt])
})

test('a key is read as PEM too (section 4)', async () => {
  const app = await givenClient(ctx, 'pem')
  const { publicKey } = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']).then(pair => {
    if (!('publicKey' in pair)) throw new Error('no pair')
    return pair
  })
  await register(ctx, app, agentBody('pem', { public_key: await exportSPKI(publicKey) }))
  assert.equal((await keysOf('pem')).length, 1)
})

test('a key serves one agent of one client, for ever, and is never ours (section 4)', async () => {
  const app = await givenClient(ctx, 'key-one')
  const other = await givenClient(ctx, 'key-two')
  const key = await generateKey()
  await register(ctx, app, agentBody('key-one', { public_key: { ...key.jwk } }))
  for (const [by, id] of [
    [app, 'second'],
    [other, 'planner'],
  ] as const) {
    const stolen = agentBody(by.client_id, { id, public_key: { ...key.jwk } })
    assert.equal((await refused(register(ctx, by, stolen))).reason, 'agent_key_taken')
  }
  const ours = ctx.keys.published().find(published => published.kty === 'EC')
  const { kid: _, alg: __, use: ___, ...jwk } = ours ?? { kid: '', alg: 'ES256', use: 'sig' }
  const body = agentBody('key-one', { id: 'third', public_key: jwk })
  assert.equal((await refused(register(ctx, app, body))).reason, 'own_key')
})

test('another agent’s key cannot even be proposed (section 4)', async () => {
  const app = await givenClient(ctx, 'key-proposal', { policies: { require_approval: true } })
  const owner = await givenClient(ctx, 'key-owner')
  const key = await generateKey()
  await register(ctx, owner, agentBody('key-owner', { public_key: { ...key.jwk } }))
  const proposal = agentBody('key-proposal', { public_key: { ...key.jwk } })
  assert.equal((await refused(register(ctx, app, proposal))).reason, 'agent_key_taken')
})

test('nor by another agent of the same client, and no key is sent twice (section 4)', async () => {
  const app = await givenClient(ctx, 'key-sibling', { policies: { require_approval: true } })
  const { jwk } = await generateKey()
  const first = await register(ctx, app, agentBody('key-sibling', { public_key: { ...jwk } }))
  await approve(ctx, APPROVER, 'key-sibling', first)
  const sibling = agentBody('key-sibling', { id: 'sibling', public_key: { ...jwk } })
  assert.equal((await refused(register(ctx, app, sibling))).reason, 'agent_key_taken')
  const twin = (await generateKey()).jwk
  const twice = agentBody('key-sibling', { id: 'twice', jwks: { keys: [{ ...twin }, { ...twin, kid: 'b' }] } })
  assert.equal((await refused(register(ctx, app, twice))).reason, 'repeated_key')
})

test('a key that two agents proposed goes to the first that is approved (section 4)', async () => {
  const app = await givenClient(ctx, 'key-race', { policies: { require_approval: true } })
  const jwk = { ...(await generateKey()).jwk }
  const one = await register(ctx, app, agentBody('key-race', { id: 'one', public_key: jwk }))
  const two = await register(ctx, app, agentBody('key-race', { id: 'two', public_key: jwk }))
  await approve(ctx, APPROVER, 'key-race', one)
  assert.equal((await refused(approve(ctx, APPROVER, 'key-race', two))).reason, 'agent_key_taken')
})
