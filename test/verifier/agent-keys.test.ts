import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { remoteAgentKeys } from '../../src/verifier/agent-keys.ts'
import { type RootKeys, verifyDelegationProofs } from '../../src/verifier/delegation-proofs.ts'
import { refusal } from '../protocol/forge.ts'
import { givenChain, ISSUER, keyOf, NOW } from './proven-chain.ts'

const HOP = { scope: 'read', resource: 'https://api.example.com', ends: 600 }
const CHAIN = { agents: ['supervisor', 'planner'], hops: [HOP], scope: 'read' }

async function verify(claims: AccessTokenClaims, rootKeys: RootKeys) {
  return await verifyDelegationProofs(claims, { issuer: ISSUER, rootKeys, now: () => new Date(NOW * 1000) })
}

/** What the issuer publishes of its agents, and how often it was asked. */
function agentServer(sets: Record<string, object>) {
  const state = { asked: [] as string[], isDown: false, seconds: NOW }
  const keys = remoteAgentKeys(ISSUER, {
    now: () => new Date(state.seconds * 1000),
    fetch: async url => {
      state.asked.push(url)
      if (state.isDown) throw new TypeError('fetch failed')
      return Response.json(sets[url] ?? { keys: [] })
    },
  })
  return { state, keys }
}

function jwksUrl(agent_id: string): string {
  return `${ISSUER}/intent/agents/app/${agent_id}/jwks`
}

test('the keys of a root come from its public JWKS, one set an agent and one fetch (section 2)', async () => {
  const { jkt, jwk } = keyOf('supervisor')
  const { state, keys } = agentServer({
    [jwksUrl('supervisor')]: { keys: [{ ...jwk, kid: jkt, alg: 'ES256', use: 'sig' }] },
  })
  const { claims } = givenChain(CHAIN)
  for (let round = 0; round < 3; round += 1) assert.equal((await verify(claims, keys)).anchored, true)
  assert.deepEqual(state.asked, [jwksUrl('supervisor')])
})

test('the thumbprint of a published key is its own, not its kid; an agent without keys anchors nothing', async () => {
  const { jkt } = keyOf('supervisor')
  const other = { ...keyOf('tester').jwk, kid: jkt, alg: 'EdDSA' }
  const { keys } = agentServer({ [jwksUrl('supervisor')]: { keys: [other] } })
  const { claims } = givenChain(CHAIN)
  assert.equal((await verify(claims, keys)).anchored, false)
  assert.deepEqual(await keys('app', 'supervisor', jkt), [(await importPublicJwk(keyOf('tester').jwk)).jkt])
  assert.equal((await verify(claims, agentServer({}).keys)).anchored, false)
})

test('without an answer nothing is judged: no chain counts as anchored or not (section 8)', async () => {
  const { state, keys } = agentServer({})
  state.isDown = true
  await assert.rejects(verify(givenChain(CHAIN).claims, keys), refusal('temporarily_unavailable', 'jwks_unavailable'))
  const broken = remoteAgentKeys(ISSUER, { fetch: async () => Response.json({ keys: {} }) })
  await assert.rejects(verify(givenChain(CHAIN).claims, broken), refusal('temporarily_unavailable', 'jwks_unavailable'))
})

test('key sets of 256 agents are kept, that of the agent asked for longest ago goes first', async () => {
  const { state, keys } = agentServer({})
  for (let n = 0; n < 256; n += 1) await keys('app', `a-${n}`, 'x')
  await keys('app', 'a-0', 'x')
  assert.equal(state.asked.length, 256)
  await keys('app', 'one-more', 'x')
  await keys('app', 'a-0', 'x')
  assert.equal(state.asked.length, 257)
  await keys('app', 'a-1', 'x')
  assert.equal(state.asked.length, 258)
  // A name is one segment of the path, whatever is in it.
  await keys('app', '../jwks', 'x')
  assert.equal(state.asked.at(-1), `${ISSUER}/intent/agents/app/..%2Fjwks/jwks`)
})
