import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import type { Refusal } from '../../src/verifier/refusal.ts'
import { refusal } from '../protocol/forge.ts'
import { INTENT, request, STEP_CLAIMS, verifier } from './given-call.ts'

const BODY = '{"amount":20}'

test('a further rule judges a request that was verified, though its proof is used (protocol.md section 8)', async () => {
  const refusals: Refusal[] = []
  const api = verifier({ onRefusal: one => refusals.push(one) })
  const verified = await api.verify(await request({ claims: STEP_CLAIMS, binding: { scope: 'read' } }))
  assert.equal(await api.check(verified, { client_id: 'patcher-app', workflow_step: 'pay' }), verified)
  await assert.rejects(api.check(verified, { client_id: 'other' }), refusal('intent_denied', 'rule_client'))
  await assert.rejects(api.check(verified, { scope: ['write'] }), refusal('insufficient_scope', 'rule_scope'))
  await assert.rejects(api.check(verified, { boundBody: true }), refusal('invalid_dpop_proof', 'bd_missing'))
  await assert.rejects(api.check(verified, { agent_id: 'worker' }), TypeError)
  assert.deepEqual(
    refusals.map(({ reason, jti }) => [reason, jti]),
    [
      ['rule_client', 'jti-1'],
      ['rule_scope', 'jti-1'],
      ['bd_missing', 'jti-1'],
    ],
  )
})

test('a further rule compares the approved body with the part that it is told (protocol.md section 8)', async () => {
  const api = verifier()
  const approval = { id: 'apr_1', arguments_digest: sha256Base64url(BODY) }
  const claims = { ...STEP_CLAIMS, intent: { ...INTENT, approval } }
  const call = await request({ claims, body: 'around', binding: { bd: sha256Base64url('around') } })
  const verified = await api.verify(call, { boundBody: true })
  const names = { client_id: 'patcher-app', workflow_step: 'pay' }
  const rule = { ...names, approval: 'json-body', boundBody: true } as const
  await api.check(verified, rule, { body: () => Buffer.from(BODY) })
  const other = { body: () => Buffer.from('{"amount":21}') }
  await assert.rejects(api.check(verified, rule, other), refusal('intent_denied', 'approval_other_body'))
  await assert.rejects(api.check(verified, rule), refusal('intent_denied', 'approval_unchecked'))
})

test('a further rule looks at revocation again (protocol.md section 8)', async () => {
  let isRevoked = false
  const api = verifier({ revocation: { asOf: () => 1_800_000_000, isRevoked: () => isRevoked } })
  const verified = await api.verify(await request())
  isRevoked = true
  await assert.rejects(api.check(verified, {}), refusal('invalid_token', 'token_revoked'))
})

test('what another verifier, or nobody, has verified is not checked further', async () => {
  const verified = await verifier().verify(await request())
  await assert.rejects(verifier().check(verified, {}), TypeError)
  const api = verifier()
  const own = await api.verify(await request())
  await assert.rejects(api.check({ ...own, scope: ['admin'] }, { scope: ['admin'] }), TypeError)
})
