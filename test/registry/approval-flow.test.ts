import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { isJsonObject, type JsonValue } from '../../src/protocol/json.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { boundHeaders, givenAdmin, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { givenWorkflow, type Minted, type MintRequest, mint } from '../support/recorded.ts'
import { exchange, foreignToken, givenTrustedIssuer, JWT_TYPE } from '../token/foreign.ts'
import { adminCalls } from './admin-call.ts'

const BANK = 'https://bank.example/api'
const app = await startTestApp()
const { issuer, adminUrl, clock } = app
await givenResource(app, { resource: BANK, scopes: [{ name: 'read' }, { name: 'pay', approval: true }] })
const client = await givenClient(app, {
  access: [
    { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
    { resource: BANK, scope: 'read pay' },
  ],
})
const grant = { access: [{ resource: BANK, scope: 'read pay' }] }
const planner = await givenAgent(app, client, 'planner', { grant })
const payer = await givenAgent(app, client, 'payer', { grant })
await givenWorkflow(app, client, 'transfer', [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'gate', approval_gate: true, required: true },
  { step_id: 'pay', agent_id: 'payer', requires_approval: true, repeatable: true },
  { step_id: 'report', agent_id: 'planner' },
])
const asEve = adminCalls(app, await givenAdmin(app, { owner: 'user:local:eve' }), 'approve:steps')
const TRANSFER = { to: 'DE89', amount: 1200 }

function digestOf(value: JsonValue): string {
  return sha256Base64url(canonicalJson(value))
}

/** An execution in which the plan is made. */
async function planned(): Promise<string> {
  const { body, status } = await mint(app, client, planner, {
    ...{ resource: BANK, scope: 'read', workflow_id: 'transfer', step: 'plan' },
  })
  assert.equal(status, 200, JSON.stringify(body))
  return String(body.execution_id)
}

function pay(execution_id: string, over: Partial<MintRequest> = {}): Promise<Minted> {
  return payBare(execution_id, { arguments: TRANSFER, ...over })
}

/** Names no arguments where `over` has none. */
function payBare(execution_id: string, over: Partial<MintRequest> = {}): Promise<Minted> {
  const request = { resource: BANK, scope: 'pay', workflow_id: 'transfer', step: 'pay', execution_id }
  return mint(app, client, payer, { ...request, ...over })
}

function decide(approval_id: unknown, decision: 'grant' | 'deny', arguments_digest: string | null) {
  return asEve('POST', `/approvals/${approval_id}`, { body: { decision, arguments_digest, reason: 'as agreed' } })
}

/** What a mint was refused for. */
function refusal({ status, body: { error, ajwt_error, approval_id } }: Minted) {
  return { status, error, ajwt_error, asked: typeof approval_id === 'string' }
}

const WAITS = { status: 403, error: 'workflow_step_unauthorized', ajwt_error: 'approval_pending', asked: true }

test('[attack 71] from the refused mint to the token: asked, read, granted, entered once, renewed (section 6)', async () => {
  const execution_id = await planned()
  const refused = await pay(execution_id)
  assert.deepEqual(refusal(refused), WAITS)
  const { approval_id } = refused.body
  assert.equal((await pay(execution_id)).body.approval_id, approval_id)

  const shown = await asEve('GET', `/approvals/${approval_id}`)
  assert.deepEqual([shown.body.arguments, shown.body.status], ['{"amount":1200,"to":"DE89"}', 'pending'])
  const digest = digestOf(TRANSFER)
  assert.equal((await decide(approval_id, 'grant', digest)).status, 200)

  const { claims, body } = await pay(execution_id)
  assert.deepEqual(claims?.intent?.approval, { id: approval_id, arguments_digest: digest })
  assert.equal(claims?.scope, 'pay')
  const details = Array.isArray(body.authorization_details) ? body.authorization_details : []
  assert.deepEqual(
    details.map(detail => isJsonObject(detail) && [detail.arguments, detail.arguments_digest]),
    [[undefined, digest]],
  )
  const consumed = await asEve('GET', `/approvals/${approval_id}`)
  assert.deepEqual([consumed.body.status, typeof consumed.body.consumed_at], ['granted', 'string'])

  const renewed = await pay(execution_id, { arguments: undefined, arguments_digest: digest })
  assert.deepEqual(renewed.claims?.intent?.approval, { id: approval_id, arguments_digest: digest })
  const other = await pay(execution_id, { arguments: { ...TRANSFER, amount: 1201 } })
  assert.deepEqual(refusal(other), WAITS)
  assert.notEqual(other.body.approval_id, approval_id)
})

test('[attack 79] a granted approval opens nothing in another execution, nor for other arguments (section 6)', async () => {
  const [one, two] = [await planned(), await planned()]
  const asked = await pay(one)
  await decide(asked.body.approval_id, 'grant', digestOf(TRANSFER))
  const elsewhere = await pay(two)
  assert.deepEqual(refusal(elsewhere), WAITS)
  assert.notEqual(elsewhere.body.approval_id, asked.body.approval_id)
  assert.deepEqual(refusal(await pay(one, { arguments: { ...TRANSFER, to: 'DE90' } })), WAITS)
  assert.deepEqual(refusal(await pay(one, { arguments: undefined })), WAITS, 'nor for none')
  assert.equal((await pay(one)).status, 200)
  assert.deepEqual(refusal(await pay(two)), WAITS)
})

test('a denied approval is final for these arguments in this execution (section 6)', async () => {
  const execution_id = await planned()
  const { approval_id } = (await pay(execution_id)).body
  await decide(approval_id, 'deny', digestOf(TRANSFER))
  const denied = { status: 403, error: 'workflow_step_unauthorized', ajwt_error: 'approval_denied', asked: false }
  assert.deepEqual(refusal(await pay(execution_id)), denied)
  assert.deepEqual(refusal(await pay(execution_id, { arguments: { ...TRANSFER, amount: 1 } })), WAITS)
  assert.deepEqual(refusal(await pay(await planned())), WAITS)
})

test('what an approval lacks is said last: audience, scope and delegation come before it (section 6)', async () => {
  const execution_id = await planned()
  const { approval_id } = (await pay(execution_id)).body
  assert.equal((await decide(approval_id, 'deny', digestOf(TRANSFER))).status, 200)
  const rows: readonly [over: Partial<MintRequest>, last: string][] = [
    [{ arguments: TRANSFER }, 'approval_denied'],
    [{ arguments_digest: digestOf(TRANSFER) }, 'approval_required'],
  ]
  for (const [over, last] of rows) {
    assert.equal((await payBare(execution_id, over)).body.ajwt_error, last)
    const nowhere = await payBare(execution_id, { ...over, resource: 'https://elsewhere.example' })
    assert.deepEqual([nowhere.status, nowhere.body.error], [400, 'invalid_target'])
    const beyond = await payBare(execution_id, { ...over, scope: 'pay delete' })
    assert.deepEqual([beyond.status, beyond.body.error], [400, 'invalid_scope'])
    const lent = await payBare(execution_id, { ...over, more: { delegation_assertion: 'e30.e30.e30' } })
    assert.deepEqual([lent.status, lent.body.error], [403, 'delegation_unauthorized'])
  }
})

test('a renewal of an entry with several approvals names one: none is opened for whatever it does (section 6)', async () => {
  const execution_id = await planned()
  const other = { ...TRANSFER, amount: 7 }
  for (const asked of [TRANSFER, other]) {
    const { approval_id } = (await pay(execution_id, { arguments: asked })).body
    assert.equal((await decide(approval_id, 'grant', digestOf(asked))).status, 200)
    assert.equal((await pay(execution_id, { arguments: asked })).status, 200)
  }
  const open = await payBare(execution_id)
  assert.deepEqual(refusal(open), { ...WAITS, ajwt_error: 'approval_required', asked: false })
  const named = await payBare(execution_id, { arguments_digest: digestOf(other) })
  assert.equal(named.claims?.intent?.approval?.arguments_digest, digestOf(other))
})

test('an approval without arguments is for a call without any (section 6)', async () => {
  const execution_id = await planned()
  const { approval_id } = (await pay(execution_id, { arguments: undefined })).body
  assert.equal((await decide(approval_id, 'grant', digestOf({}))).status, 409)
  assert.equal((await decide(approval_id, 'grant', null)).status, 200)
  assert.deepEqual(refusal(await pay(execution_id)), WAITS)
  const { claims } = await pay(execution_id, { arguments: undefined })
  assert.equal(claims?.intent?.approval?.id, approval_id)
})

test('an approval is for one entry: the step left and entered anew needs another (section 6)', async () => {
  const execution_id = await planned()
  const { approval_id } = (await pay(execution_id)).body
  await decide(approval_id, 'grant', digestOf(TRANSFER))
  assert.equal((await pay(execution_id)).status, 200)
  const report = { resource: BANK, scope: 'read', workflow_id: 'transfer', step: 'report', execution_id }
  assert.equal((await mint(app, client, planner, report)).status, 200)
  const again = await pay(execution_id)
  assert.deepEqual(refusal(again), WAITS)
  assert.notEqual(again.body.approval_id, approval_id)
})

test('[attack 79] a token of an agent decides nothing and reads nothing, whoever holds its key', async () => {
  const execution_id = await planned()
  const { approval_id } = (await pay(execution_id)).body
  const { token } = await mint(app, client, planner, {
    ...{ resource: BANK, scope: 'read', workflow_id: 'transfer', step: 'plan', execution_id },
  })
  const url = `${adminUrl}/admin/v1/approvals/${approval_id}`
  const holder = { ...client, dpopKey: planner.key }
  const body = JSON.stringify({ decision: 'grant', arguments_digest: digestOf(TRANSFER), reason: 'mine' })
  for (const init of [{ method: 'GET' }, { method: 'POST', body }]) {
    const bound = await boundHeaders(app, holder, token, { method: init.method, url })
    const response = await fetch(url, { ...init, headers: { ...bound, 'content-type': 'application/json' } })
    assert.deepEqual([response.status, (await jsonOf(response)).code], [401, 'invalid_token'])
  }
  assert.equal((await asEve('GET', `/approvals/${approval_id}`)).body.status, 'pending')
})

test('[attack 79] a granted approval ends with its execution (section 6)', async () => {
  const execution_id = await planned()
  const { approval_id } = (await pay(execution_id)).body
  await decide(approval_id, 'grant', digestOf(TRANSFER))
  clock.advance(3_600)
  const late = await pay(execution_id)
  assert.deepEqual(
    [late.status, late.body.error, late.body.approval_id],
    [403, 'workflow_step_unauthorized', undefined],
  )
})

test('[attack 79] who began the execution does not approve as staff of the same issuer; a colleague does', async () => {
  const issuerKey = await generateKey()
  const audience = `${issuer}/admin`
  const desk = await givenAdmin(app, { grant_types: [TOKEN_EXCHANGE_GRANT] })
  await givenTrustedIssuer(app, issuerKey, { name: 'corp', clients: [client.client_id] })
  await givenTrustedIssuer(app, issuerKey, {
    ...{ name: 'staff', purpose: 'operator', audience: 'desk', clients: [desk.client_id], claims: { tid: 'acme' } },
    access: [{ resource: audience, scope: 'approve:steps' }],
  })
  async function decideAs(sub: string, approval_id: unknown) {
    const subject_token = await foreignToken(app, issuerKey, { sub, aud: 'desk', tid: 'acme' })
    const signedIn = await exchange(app, desk, { subject_token, resource: audience, scope: 'approve:steps' })
    assert.equal(signedIn.claims?.sub, `user:staff:${sub}`, JSON.stringify(signedIn.body))
    const url = `${adminUrl}/admin/v1/approvals/${approval_id}`
    const bound = await boundHeaders(app, desk, signedIn.access_token, { method: 'POST', url })
    const body = JSON.stringify({ decision: 'grant', arguments_digest: digestOf(TRANSFER), reason: 'as agreed' })
    const headers = { ...bound, 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body })
    return { status: response.status, body: await jsonOf(response) }
  }

  const user = await foreignToken(app, issuerKey, { sub: '42' })
  const begun = await mint(app, client, planner, {
    ...{ resource: BANK, scope: 'read', workflow_id: 'transfer', step: 'plan' },
    more: { subject_token: user, subject_token_type: JWT_TYPE },
  })
  assert.equal(begun.claims?.intent?.initiated_by, 'user:corp:42', JSON.stringify(begun.body))
  const { approval_id } = (await pay(String(begun.body.execution_id))).body
  assert.equal((await decideAs('42', approval_id)).status, 403)
  const granted = await decideAs('43', approval_id)
  assert.deepEqual([granted.status, granted.body.decided_by], [200, 'user:staff:43'])
  assert.equal((await pay(String(begun.body.execution_id))).claims?.sub, 'user:corp:42')
})
