import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import type { Refusal } from '../../src/verifier/refusal.ts'
import { resourceStatus } from '../../src/verifier/resource-status.ts'
import type { RouteRule } from '../../src/verifier/route-rule.ts'
import type { VerifierOptions } from '../../src/verifier/verify.ts'
import { generateKey } from '../support/dpop.ts'
import { CLAIMS, NOW, request, type Sent, verifier } from './given-call.ts'

async function told(sent: Sent, rule?: RouteRule, options: Partial<VerifierOptions> = {}): Promise<readonly Refusal[]> {
  const refusals: Refusal[] = []
  const api = verifier({ ...options, onRefusal: refusal => refusals.push(refusal) })
  await assert.rejects(api.verify(await request(sent), rule), OAuthError)
  return refusals
}

const WHOSE = { client_id: 'patcher-app', jti: 'jti-1' }

test('each refusal is told once, in machine words only (protocol.md section 8)', async () => {
  const rule = { client_id: 'other' }
  const denied = { code: 'intent_denied', reason: 'rule_client', status: 403, ...WHOSE }
  assert.deepEqual(await told({}, rule), [denied])
  const missing = { code: 'invalid_token', reason: 'proof_missing', status: 401, ...WHOSE }
  assert.deepEqual(await told({ proofKey: null }), [missing])
  const proof = { code: 'invalid_dpop_proof', reason: 'dpop_iat', status: 401, ...WHOSE }
  assert.deepEqual(await told({ proof: { iat: NOW - 61 } }), [proof])
  const scope = { code: 'insufficient_scope', reason: 'rule_scope', status: 403, ...WHOSE }
  assert.deepEqual(await told({}, { scope: ['admin'] }), [scope])
  const revocation = { asOf: () => undefined, isRevoked: () => false }
  const unknown = { code: 'revocation_unknown', reason: 'revocation_stale', status: 401, ...WHOSE }
  assert.deepEqual(await told({}, {}, { revocation }), [unknown])
})

test('whose token it is, is told once its signature held, and not before', async () => {
  const expired = { code: 'invalid_token', reason: 'exp_passed', status: 401, ...WHOSE }
  assert.deepEqual(await told({ claims: { ...CLAIMS, iat: NOW - 300, exp: NOW - 5 } }), [expired])
  const forged = { code: 'invalid_token', reason: 'jws_signature', status: 401 }
  assert.deepEqual(await told({ key: await generateKey() }), [forged])
  assert.deepEqual(await told({ scheme: 'Basic' }), [{ code: 'invalid_token', reason: 'token_malformed', status: 401 }])
})

test('a call that is taken tells nothing', async () => {
  const refusals: Refusal[] = []
  await verifier({ onRefusal: refusal => refusals.push(refusal) }).verify(await request())
  assert.deepEqual(refusals, [])
})

test('a listener that fails changes nothing, at once or later', async () => {
  const listeners = [
    () => {
      throw new Error('The listener is broken.')
    },
    async () => {
      throw new Error('The listener is broken.')
    },
  ]
  for (const onRefusal of listeners) {
    const call = await request({ proofKey: null })
    await assert.rejects(verifier({ onRefusal }).verify(call), { code: 'invalid_token', reason: 'proof_missing' })
  }
})

test('statuses at a resource (RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9, protocol.md section 8)', () => {
  const of = (code: OAuthError['code']) => resourceStatus(new OAuthError(code, 'No.'))
  const codes = ['invalid_token', 'invalid_dpop_proof', 'use_dpop_nonce', 'revocation_unknown'] as const
  for (const code of codes) assert.equal(of(code), 401, code)
  assert.deepEqual([of('insufficient_scope'), of('intent_denied')], [403, 403])
  assert.deepEqual([of('temporarily_unavailable'), of('invalid_request')], [503, 400])
})
