import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { refusal } from '../protocol/forge.ts'
import { INTENT, request, STEP_CLAIMS, verifier } from './given-call.ts'

function intent(members: object) {
  return { ...STEP_CLAIMS, intent: { ...INTENT, ...members } }
}

const ARGUMENTS = { to: 'anna', amount: 20 }
const DIGEST = sha256Base64url(canonicalJson(ARGUMENTS))
const APPROVED = intent({ approval: { id: 'apr_1', arguments_digest: DIGEST } })
const BY_APPROVAL = { client_id: 'patcher-app', workflow_step: 'pay', approval: 'json-body' } as const

test('the body is what was approved, in whatever order and spacing (protocol.md section 8)', async () => {
  for (const body of ['{"amount":20,"to":"anna"}', '{ "to" : "\\u0061nna", "amount": 2e1 }']) {
    await verifier().verify(await request({ claims: APPROVED, body }), BY_APPROVAL)
  }
})

test('[attack 122] an approval of another client, or of another step, opens nothing (protocol.md section 8)', async () => {
  const body = JSON.stringify(ARGUMENTS)
  const others = [
    [{ ...APPROVED, client_id: 'evil-app' }, 'rule_client'],
    [{ ...APPROVED, intent: { ...APPROVED.intent, workflow_step: 'rename_photo' } }, 'rule_step'],
  ] as const
  for (const [claims, reason] of others) {
    const call = await request({ claims, body })
    await assert.rejects(verifier().verify(call, BY_APPROVAL), refusal('intent_denied', reason))
  }
})

/** A call with a number in its body, whatever it is rounded to being approved. */
async function withNumber(literal: string) {
  const body = `{"note":"\\"9007199254740993.0","n":${literal}}`
  const arguments_digest = sha256Base64url(canonicalJson(JSON.parse(body)))
  return await request({ claims: intent({ approval: { id: 'apr_1', arguments_digest } }), body })
}

test('[attack 100] an approved number is the one that its canonical form names, in whatever notation (RFC 8785 section 3.2.2.3)', async () => {
  const exact = '0 -0 0.0 -0.5 20 2e1 20.00 0.1 1E+21 9007199254740991 9007199254740992.0 123.456e-7 5e-324 -1e-7'
  for (const literal of [...exact.split(' '), '1.7976931348623157e308']) {
    await verifier().verify(await withNumber(literal), BY_APPROVAL)
  }
})

test('[attack 100] a number with more digits than a double keeps is another one to a reader of decimals', async () => {
  const rounded = '9007199254740993.0 0.10000000000000000555 1e-400 12345678901234567890e0 -0.30000000000000004000001'
  for (const literal of [...rounded.split(' '), `1.${'0'.repeat(70)}`, `0.${'0'.repeat(500_000)}1`]) {
    const call = await withNumber(literal)
    await assert.rejects(
      verifier().verify(call, BY_APPROVAL),
      refusal('intent_denied', 'approval_no_json'),
      literal.slice(0, 40),
    )
  }
})

test('another body than the approved one is denied, and one that two readers could read differently', async () => {
  const wrong: readonly [string, string][] = [
    ['{"amount":2000,"to":"anna"}', 'approval_other_body'],
    ['{"amount":20,"to":"anna","cc":"eve"}', 'approval_other_body'],
    ['{"amount":"20","to":"anna"}', 'approval_other_body'],
    ['[]', 'approval_other_body'],
    ['', 'approval_no_json'],
    ['{"amount":20,"to":"eve","to":"anna"}', 'approval_no_json'],
    ['{"amount":20,"to":"anna"} x', 'approval_no_json'],
    ['\ufeff{"amount":20,"to":"anna"}', 'approval_no_json'],
  ]
  for (const [body, reason] of wrong) {
    const call = await request({ claims: APPROVED, body })
    await assert.rejects(verifier().verify(call, BY_APPROVAL), refusal('intent_denied', reason), body)
  }
})

test('a token without a digest of what was approved is denied, and a body that nobody can compare', async () => {
  const body = JSON.stringify(ARGUMENTS)
  for (const claims of [STEP_CLAIMS, intent({ approval: { id: 'apr_1' } })]) {
    const call = await request({ claims, body })
    await assert.rejects(verifier().verify(call, BY_APPROVAL), refusal('intent_denied', 'approval_no_digest'))
  }
  const bodyless = await request({ claims: APPROVED })
  await assert.rejects(verifier().verify(bodyless, BY_APPROVAL), refusal('intent_denied', 'approval_unchecked'))
})
