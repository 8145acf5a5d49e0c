import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import type { RouteRule } from '../../src/verifier/route-rule.ts'
import { refusal } from '../protocol/forge.ts'
import { AGENT_PROOF, CLAIMS, INTENT, request, type Sent, STEP_CLAIMS, verifier } from './given-call.ts'

const BODY = '{"amount":20,"to":"anna"}'
const bound = { binding: { bd: sha256Base64url(BODY) }, body: BODY }

async function refused(sent: Sent, code: string, reason: string, rule: RouteRule = {}) {
  await assert.rejects(verifier().verify(await request(sent), rule), refusal(code, reason), reason)
}

test('[attack 126] a body that was dropped, swapped or added is not that of the proof (protocol.md section 8)', async () => {
  await verifier().verify(await request(bound))
  for (const body of ['', '{"amount":2000,"to":"anna"}', `${BODY} `, BODY.slice(0, -1)]) {
    await refused({ ...bound, body }, 'invalid_dpop_proof', 'bd_mismatch')
  }
  await refused({ binding: { bd: sha256Base64url('') }, body: BODY }, 'invalid_dpop_proof', 'bd_mismatch')
})

test('[attack 126] a call that is replayed with its body is refused as used (protocol.md section 8)', async () => {
  const api = verifier()
  const call = await request(bound)
  await api.verify(call)
  await assert.rejects(api.verify(call), refusal('invalid_dpop_proof', 'dpop_replayed'))
  const other = { ...call, body: () => Buffer.from('{}') }
  await assert.rejects(api.verify(other), refusal('invalid_dpop_proof', 'dpop_replayed'))
})

test('[attack 126] more scope than the proof names is refused, and more than the token has (protocol.md section 8)', async () => {
  const narrow = { binding: { scope: 'read' } }
  const { scope } = await verifier().verify(await request(narrow), { scope: ['read'] })
  assert.deepEqual(scope, ['read'])
  await refused(narrow, 'insufficient_scope', 'rule_scope', { scope: ['write'] })
  await refused(narrow, 'insufficient_scope', 'rule_scope', { scope: ['read', 'write'] })
  await refused({ binding: { scope: 'read admin' } }, 'insufficient_scope', 'proof_scope')
  await refused({ binding: { scope: '' } }, 'invalid_dpop_proof', 'dpop_scope')
})

test('a proof without scope leaves the call all that the token has (protocol.md section 8)', async () => {
  assert.deepEqual((await verifier().verify(await request())).scope, ['read', 'write'])
  const { cnf: _, ...unbound } = CLAIMS
  const bearer = await request({ scheme: 'Bearer', claims: unbound, proofKey: null })
  assert.deepEqual((await verifier().verify(bearer, { scope: ['write'] })).scope, ['read', 'write'])
})

test('a request without a body hashes no bytes, and its proof may say so (protocol.md section 8)', async () => {
  await verifier().verify(await request({ binding: { bd: sha256Base64url('') }, body: '' }), { boundBody: true })
})

test('a proof that names a body is never taken where nobody can compare it (protocol.md section 8)', async () => {
  await refused({ binding: bound.binding }, 'invalid_dpop_proof', 'bd_unchecked')
  await refused({ binding: bound.binding }, 'invalid_dpop_proof', 'bd_unchecked', { boundBody: true })
})

test('a route may demand that the proof names the body (protocol.md section 8)', async () => {
  const rule = { boundBody: true }
  await verifier().verify(await request(bound), rule)
  await refused({ body: BODY }, 'invalid_dpop_proof', 'bd_missing', rule)
  await refused({ body: '' }, 'invalid_dpop_proof', 'bd_missing', rule)
  const { cnf: _, ...unbound } = CLAIMS
  const bearer = { scheme: 'Bearer', claims: unbound, proofKey: null, body: BODY }
  await refused(bearer, 'invalid_dpop_proof', 'bd_missing', rule)
})

test('a bd of another form is refused before the body is read (protocol.md section 8)', async () => {
  for (const bd of ['', 'abc', `${sha256Base64url(BODY)}=`, 7, null]) {
    await refused({ binding: { bd }, body: BODY }, 'invalid_dpop_proof', 'dpop_bd')
  }
})

test('the body is asked for at most once, and never before token and proof held', async () => {
  let asked = 0
  const body = () => {
    asked += 1
    return Buffer.from(BODY)
  }
  const approval = { id: 'apr_1', arguments_digest: sha256Base64url(BODY) }
  const claims = { ...STEP_CLAIMS, agent_proof: AGENT_PROOF, intent: { ...INTENT, approval } }
  const good = await request({ claims, binding: bound.binding })
  const rule = { client_id: 'patcher-app', workflow_step: 'pay', approval: 'json-body' } as const
  await verifier().verify({ ...good, body }, rule)
  assert.equal(asked, 1)
  await verifier().verify({ ...(await request()), body })
  const stolen = { ...(await request({ binding: bound.binding })), dpop: undefined, body }
  await assert.rejects(verifier().verify(stolen), refusal('invalid_token', 'proof_missing'))
  assert.equal(asked, 1)
})

test('what the body throws goes on as it is', async () => {
  const gone = new Error('The connection is gone.')
  const call = { ...(await request(bound)), body: () => Promise.reject(gone) }
  await assert.rejects(verifier().verify(call), gone)
})
