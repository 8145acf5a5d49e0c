import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import { accessTokenClaims } from '../../src/server/token/claims.ts'
import { applyPolicy } from '../../src/server/token/policy.ts'
import { AGENT, AGENT_JWK, AGENT_KEY, agentAuthorization, authorization, client, PROOF, target } from './given.ts'

const NOW = new Date(1_735_690_500_000)

const TOKEN = { iss: 'https://idp.example.com', iat: 1_000, jti: 'token-jti' }
const COMMON = {
  iss: 'https://idp.example.com',
  aud: 'https://api.example.com',
  client_id: 'app',
  exp: 1_300,
  iat: 1_000,
  jti: 'token-jti',
  scope: 'read write',
}
const PROVEN = {
  intent: AGENT.intent,
  agent_proof: {
    agent_checksum: `sha256:${'a'.repeat(64)}`,
    registration_id: 'reg_planner_1',
    version: 3,
    key: 'registered',
  },
}
const draft = target({ token_profile: 'draft' })

test('a client_credentials token: sub is the client, sub_profile client, no intent (protocol.md section 7)', () => {
  const claims = accessTokenClaims(applyPolicy(authorization(), PROOF, NOW), TOKEN)
  assert.deepEqual(claims, { ...COMMON, sub: 'app', sub_profile: 'client', cnf: { jkt: 'proof-jkt' } })
})

test('interop, no user, no assertion: sub is the agent, no act, cnf has jkt only (protocol.md section 7)', () => {
  const claims = accessTokenClaims(applyPolicy(agentAuthorization(), PROOF, NOW), TOKEN)
  const who = { sub: 'agent:app:planner', sub_profile: 'ai_agent', cnf: { jkt: 'proof-jkt' } }
  assert.deepEqual(claims, { ...COMMON, ...who, ...PROVEN })
})

test('draft: sub is the bare agent_id, no sub_profile, no act, cnf has jwk only (protocol.md section 7)', () => {
  const claims = accessTokenClaims(applyPolicy(agentAuthorization({ target: draft }), PROOF, NOW), TOKEN)
  assert.deepEqual(claims, { ...COMMON, sub: 'planner', cnf: { jwk: PROOF.jwk }, ...PROVEN })
})

test('draft without a proof: the agent’s one registered key, and key none (protocol.md section 6)', () => {
  const agent = { ...AGENT, key: 'none', registered_key: AGENT_KEY } as const
  const claims = accessTokenClaims(applyPolicy(agentAuthorization({ agent, target: draft }), undefined, NOW), TOKEN)
  const agent_proof = { ...PROVEN.agent_proof, key: 'none' }
  assert.deepEqual(claims, { ...COMMON, sub: 'planner', cnf: { jwk: AGENT_JWK }, intent: AGENT.intent, agent_proof })
})

test('interop without a proof has no cnf (protocol.md section 6)', () => {
  const bearer = { client: client({ allow_bearer: true }), target: target({ allow_bearer: true }) }
  const agent = { ...AGENT, key: 'none' } as const
  const claims = accessTokenClaims(applyPolicy(agentAuthorization({ ...bearer, agent }), undefined, NOW), TOKEN)
  assert.deepEqual(claims, {
    ...COMMON,
    sub: 'agent:app:planner',
    sub_profile: 'ai_agent',
    intent: AGENT.intent,
    agent_proof: { ...PROVEN.agent_proof, key: 'none' },
  })
})

test('authorization details are in the token as granted where they were sent (RFC 9396 section 9)', () => {
  const workflow = { workflow_id: 'w', workflow_step: 's', version: 1 }
  const detail = { type: 'urn:remit:workflow-step', workflow_id: 'w', workflow_step: 's' }
  for (const [as_details, expected] of [
    [true, [detail]],
    [false, undefined],
  ] as const) {
    const agent = { ...AGENT, workflow: { ...workflow, as_details } }
    const claims = accessTokenClaims(applyPolicy(agentAuthorization({ agent }), PROOF, NOW), TOKEN)
    assert.deepEqual(claims.authorization_details, expected)
    assert.deepEqual(accessTokenClaimsSchema.parse(claims), claims)
  }
})
