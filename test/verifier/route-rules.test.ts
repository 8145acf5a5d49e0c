import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import type { RouteRule } from '../../src/verifier/route-rule.ts'
import type { Verifier } from '../../src/verifier/verify.ts'
import { refusal } from '../protocol/forge.ts'
import { AGENT_PROOF, CLAIMS, INTENT, NOW, request, STEP_CLAIMS, verifier } from './given-call.ts'

const RULE: RouteRule = {
  client_id: 'patcher-app',
  agent_id: 'worker',
  workflow_id: 'refunds',
  workflow_step: 'pay',
  scope: ['write'],
}

async function taken(claims: object, rule: RouteRule): Promise<void> {
  await verifier().verify(await request({ claims }), rule)
}

async function reasonOf(api: Verifier, claims: object, rule: RouteRule): Promise<unknown> {
  return await api.verify(await request({ claims, body: '{}' }), rule).then(
    () => 'taken',
    (error: unknown) => (error instanceof OAuthError ? error.reason : error),
  )
}

async function denied(claims: object, reason: string, rule: RouteRule = RULE) {
  await assert.rejects(verifier().verify(await request({ claims }), rule), refusal('intent_denied', reason), reason)
}

function intent(members: object): object {
  return { ...STEP_CLAIMS, intent: { ...INTENT, ...members } }
}

test('a token of the client, agent and step that the rule names is taken (protocol.md section 8)', async () => {
  await verifier().verify(await request({ claims: STEP_CLAIMS }), RULE)
  const lists = { client_id: ['other', 'patcher-app'], agent_id: ['worker'], workflow_step: ['check', 'pay'] }
  await verifier().verify(await request({ claims: STEP_CLAIMS }), lists)
})

test('[attack 122] agent, workflow and step of the same names at another client open nothing (protocol.md section 8)', async () => {
  const stranger = { ...STEP_CLAIMS, client_id: 'evil-app', sub: 'agent:evil-app:worker' }
  await denied(stranger, 'rule_client')
  await denied(stranger, 'rule_client', { client_id: ['patcher-app', 'other-app'], agent_id: 'worker' })
  await denied({ ...CLAIMS, client_id: 'evil-app' }, 'rule_client', { client_id: 'patcher-app' })
})

test('[attack 122] a rule that names agent, workflow or step without client_id is refused as written', async () => {
  const call = await request({ claims: STEP_CLAIMS })
  for (const rule of [{ agent_id: 'worker' }, { workflow_id: 'refunds' }, { workflow_step: ['pay'] }]) {
    await assert.rejects(verifier().verify(call, rule), /^TypeError: .* must name client_id too\.$/)
  }
})

test('another agent, workflow or step of the client is denied (protocol.md section 8)', async () => {
  await denied(intent({ executed_by: 'planner' }), 'rule_agent')
  await denied(intent({ workflow_id: 'orders' }), 'rule_workflow')
  await denied(intent({ workflow_id: undefined }), 'rule_workflow')
  await denied(intent({ workflow_step: 'check' }), 'rule_step')
  await denied(intent({ workflow_step: undefined }), 'rule_step')
  // A name that only begins like one of the rule, or differs in case.
  await denied(intent({ executed_by: 'Worker' }), 'rule_agent')
  await denied(intent({ workflow_step: 'pay2' }), 'rule_step')
})

test('a token without an intent is denied where the rule names an agent or a step', async () => {
  await denied(CLAIMS, 'rule_intent')
  await denied(CLAIMS, 'rule_intent', { client_id: 'patcher-app', agent_id: 'worker' })
  await verifier().verify(await request(), { client_id: 'patcher-app', scope: ['read'] })
})

test('steps that are the word of the caller are taken only where the rule says so (protocol.md section 8)', async () => {
  const asserted = intent({ state: 'asserted' })
  await denied(asserted, 'rule_state')
  await denied(asserted, 'rule_state', { client_id: 'patcher-app', agent_id: 'worker' })
  await denied(asserted, 'rule_state', { ...RULE, allowAsserted: false })
  await taken(asserted, { ...RULE, allowAsserted: true })
  await taken(asserted, { scope: ['read'] })
})

test('every rule that demands more than scope, body or fresh revocations refuses asserted steps and keyless mints (protocol.md section 8)', async () => {
  const revocation = { asOf: () => NOW, isRevoked: () => false }
  const api = verifier({ revocation, rootKeys: () => [] })
  const asserted = intent({ state: 'asserted' })
  const keyless = { ...STEP_CLAIMS, agent_proof: { ...AGENT_PROOF, key: 'none' } }
  const rules: readonly [RouteRule, string][] = [
    [{ client_id: 'patcher-app' }, 'taken'],
    [{ ...RULE, approval: 'json-body' }, 'approval_no_digest'],
    [{ proofs: true }, 'proofs_chain'],
  ]
  for (const [rule, next] of rules) {
    const reason = async (claims: object, more: RouteRule = {}) => await reasonOf(api, claims, { ...rule, ...more })
    assert.equal(await reason(asserted), 'rule_state')
    assert.equal(await reason(keyless), 'rule_key')
    // Where it says otherwise the next check is due.
    assert.equal(await reason(asserted, { allowAsserted: true }), next)
    assert.equal(await reason(keyless, { allowKeyless: true }), next)
  }
  const bound = { claims: asserted, body: '{}', binding: { bd: sha256Base64url('{}') } }
  await api.verify(await request(bound), { scope: ['read'], boundBody: true, maxStale: 10 })
  await api.verify(await request({ claims: keyless }), { maxStale: 300 })
})

test("a client's own token says nothing of steps, and a rule of its client alone takes it (protocol.md section 8)", async () => {
  await taken(CLAIMS, { client_id: 'patcher-app' })
  await denied({ ...CLAIMS, agent_proof: { ...AGENT_PROOF, key: 'none' } }, 'rule_key', { client_id: 'patcher-app' })
})

test('a mint without possession is taken only where the rule says so (protocol.md section 8)', async () => {
  const keyless = { ...STEP_CLAIMS, agent_proof: { ...AGENT_PROOF, key: 'none' } }
  const { agent_proof: _, ...unsaid } = STEP_CLAIMS
  for (const claims of [keyless, unsaid]) {
    await denied(claims, 'rule_key')
    await verifier().verify(await request({ claims }), { ...RULE, allowKeyless: true })
  }
})

test('every scope of the rule must be in the token: 403 insufficient_scope (RFC 6750 section 3.1)', async () => {
  await verifier().verify(await request(), { scope: ['read', 'write'] })
  for (const scope of [['admin'], ['read', 'admin'], ['rea']]) {
    await assert.rejects(verifier().verify(await request(), { scope }), refusal('insufficient_scope', 'rule_scope'))
  }
})

test('a rule that cannot do what it says is a mistake of its writer, told at once (protocol.md section 8)', async () => {
  const call = await request({ claims: STEP_CLAIMS })
  const wrong: readonly [object, RegExp][] = [
    [{ clientid: 'patcher-app' }, /clientid/],
    [{ client_id: undefined }, /client_id of a route rule has no value/],
    [{ client_id: [] }, /client_id/],
    [{ client_id: '' }, /client_id/],
    [{ scope: [] }, /scope/],
    [{ scope: ['read write'] }, /scope/],
    [{ scope: 'read' }, /scope/],
    [{ approval: true }, /approval/],
    [{ allowAsserted: 'no' }, /allowAsserted/],
    [{ allowAsserted: true }, /allowAsserted .* more than a scope/],
    [{ scope: ['read'], allowAsserted: false }, /allowAsserted .* more than a scope/],
    [{ scope: ['read'], boundBody: true, allowKeyless: true }, /allowKeyless .* more than a scope/],
    [{ maxStale: -1 }, /maxStale/],
    [{ maxStale: 10 }, /needs the option revocation/],
    [{ proofs: true }, /needs the option rootKeys/],
    [{ approval: 'json-body', scope: ['write'] }, /approval must name client_id and workflow_step/],
    [{ approval: 'json-body', client_id: 'patcher-app' }, /approval must name client_id and workflow_step/],
    [{ approval: 'json-body', client_id: 'patcher-app', agent_id: 'worker' }, /approval must name client_id and/],
    [() => {}, /needs a route rule/],
  ]
  for (const [rule, message] of wrong) {
    const refusals: unknown[] = []
    const api = verifier({ onRefusal: refusal => refusals.push(refusal) })
    await assert.rejects(api.verify(call, rule), (error: unknown) => {
      assert.ok(error instanceof TypeError)
      assert.match(error.message, message)
      return true
    })
    assert.deepEqual(refusals, [])
  }
})

test('a rule that is read is fixed: changing it later fails where it is written, and changes nothing', async () => {
  const rule = { scope: ['read'], client_id: ['patcher-app'] }
  const api = verifier()
  await api.verify(await request(), rule)
  assert.throws(() => rule.scope.push('admin'), TypeError)
  assert.throws(() => Object.assign(rule, { scope: ['admin'] }), TypeError)
  assert.throws(() => rule.client_id.pop(), TypeError)
  assert.throws(() => Object.assign(rule, { boundBody: true }), TypeError)
})
