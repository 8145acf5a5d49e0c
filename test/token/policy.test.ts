import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OAuthError } from '../../src/protocol/errors.ts'
import type { Authorization, Permitted } from '../../src/server/token/authorization.ts'
import { applyPolicy } from '../../src/server/token/policy.ts'
import { AGENT, AGENT_JWK, AGENT_KEY, agentAuthorization, authorization, client, PROOF, target } from './given.ts'

const NOW = new Date(1_735_690_500_000)

const authorizations = fc
  .record({
    kind: fc.constantFrom('registered', 'issuer', 'admin'),
    token_profile: fc.constantFrom('interop', 'draft'),
    max_token_lifetime: fc.integer({ min: 1, max: 100_000 }),
    resource_allows: fc.boolean(),
    client_allows: fc.boolean(),
    admin_allows: fc.boolean(),
    isAgent: fc.boolean(),
    hasKey: fc.boolean(),
    scope: fc.array(fc.constantFrom('read', 'write', 'deploy'), { minLength: 1 }),
  })
  .map(({ resource_allows, client_allows, admin_allows, isAgent, hasKey, scope, ...rest }) => {
    const common = {
      client: client({ allow_bearer: client_allows, allow_bearer_admin: admin_allows }),
      target: target({ ...rest, allow_bearer: resource_allows }),
      scope,
    }
    const agent = hasKey ? { ...AGENT, registered_key: AGENT_KEY } : AGENT
    return isAgent ? agentAuthorization({ ...common, agent }) : authorization(common)
  })

function permittedOrCode(proven: Authorization, proof: typeof PROOF | undefined): Permitted | string {
  try {
    return applyPolicy(proven, proof, NOW)
  } catch (error) {
    if (error instanceof OAuthError) return error.reason
    throw error
  }
}

test('policy only narrows: what a grant proved stays, lifetimes keep every limit (architecture.md section 3)', () => {
  fc.assert(
    fc.property(authorizations, fc.constantFrom(PROOF, undefined), (proven, proof) => {
      const permitted = permittedOrCode(proven, proof)
      if (typeof permitted === 'string') return assert.equal(permitted, 'proof_required')
      const { lifetime, token_type, confirmation, jkt, ...rest } = permitted
      assert.deepEqual(rest, proven)
      assert.ok(lifetime > 0 && lifetime <= Math.min(proven.target.max_token_lifetime, 900))
      assert.equal(jkt, proof?.jkt ?? (confirmation && proven.agent?.registered_key?.jkt))
      assert.equal(token_type, proof ? 'DPoP' : 'Bearer')
      assert.equal(
        confirmation !== undefined,
        proof !== undefined || (proven.agent?.registered_key !== undefined && proven.target.token_profile === 'draft'),
      )
    }),
  )
})

test('a token goes unbound only where both sides allow it, and then at most 300 s (protocol.md section 3)', () => {
  fc.assert(
    fc.property(authorizations, proven => {
      const permitted = permittedOrCode(proven, undefined)
      const { kind, allow_bearer } = proven.target
      const { policies } = proven.client
      const allowed = {
        registered: allow_bearer && policies.allow_bearer,
        issuer: true,
        admin: policies.allow_bearer_admin,
      }
      const unbound = typeof permitted !== 'string' && permitted.confirmation === undefined
      if (unbound) assert.ok(permitted.lifetime <= 300)
      if (unbound) assert.equal(allowed[kind], true)
      else if (typeof permitted === 'string') assert.equal(allowed[kind], false)
    }),
  )
})

test('with a proof: interop carries its thumbprint, draft its key (protocol.md section 7)', () => {
  const interop = applyPolicy(authorization(), PROOF, NOW)
  const draft = applyPolicy(authorization({ target: target({ token_profile: 'draft' }) }), PROOF, NOW)
  assert.deepEqual(interop.confirmation, { jkt: 'proof-jkt' })
  assert.deepEqual(draft.confirmation, { jwk: PROOF.jwk })
})

test('without a proof a draft token carries the agent’s one key and is Bearer (protocol.md section 6)', () => {
  const agent = { ...AGENT, key: 'none', registered_key: AGENT_KEY } as const
  const proven = agentAuthorization({ agent, target: target({ token_profile: 'draft' }) })
  const { token_type, confirmation } = applyPolicy(proven, undefined, NOW)
  assert.deepEqual({ token_type, confirmation }, { token_type: 'Bearer', confirmation: { jwk: AGENT_JWK } })
})
