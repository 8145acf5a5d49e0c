import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asPage, givenSession } from '../console/given.ts'
import { startTestApp } from '../support/app.ts'
import { givenAdmin, givenClient } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { adminCalls, lastAudited } from './admin-call.ts'
import { CRM, givenResources } from './given.ts'
import { DIGEST, givenExecution, givenPayments, opened, TRANSFER } from './given-approval.ts'

const app = await startTestApp()
const { ctx } = app
await givenResources(ctx)
await givenPayments(ctx, 'shop')
const SCOPE = 'approve:steps'
const eve = await givenAdmin(app, { owner: 'user:local:eve' })
const anna = await givenAdmin(app, { owner: 'user:local:anna' })
const asEve = adminCalls(app, eve, SCOPE)
const asAnna = adminCalls(app, anna, SCOPE)

async function asked() {
  const execution_id = await givenExecution(ctx, 'shop')
  return { execution_id, approval_id: await opened(ctx, 'shop', execution_id) }
}

function body(decision = 'grant', over: object = {}) {
  return { decision, arguments_digest: DIGEST, reason: 'as agreed', ...over }
}

test('an approval is listed, read and granted over HTTP; the read and the act are audited, the ceiling is whole (section 11)', async () => {
  const { execution_id, approval_id } = await asked()
  const list = await asEve('GET', `/approvals?execution_id=${execution_id}`)
  assert.deepEqual([list.status, list.body.items.length, list.body.next_cursor], [200, 1, null])
  const shown = await asEve('GET', `/approvals/${approval_id}`)
  assert.deepEqual([shown.status, shown.body.arguments], [200, TRANSFER])
  const { arguments: _, hidden_characters: __, action: ___, step_access, excluded_owners: ____, ...view } = shown.body
  const asked_for = [view.resource, view.scope]
  assert.deepEqual([asked_for, step_access], [[CRM, 'write'], [{ resource: CRM, scope: 'read write' }]])
  assert.deepEqual(list.body.items, [view])
  const read = { approval_id, arguments_digest: DIGEST }
  const row = { outcome: 'success', reason: null, client_id: 'shop' }
  assert.deepEqual(await lastAudited(app, 'read'), { ...row, details: read })
  const granted = await asEve('POST', `/approvals/${approval_id}`, { body: body() })
  assert.equal(granted.status, 200)
  const { status, decided_by, decision_reason } = granted.body
  assert.deepEqual([status, decided_by, decision_reason], ['granted', eve.client_id, 'as agreed'])
  const details = { ...read, workflow_step: 'pay', gates: ['gate'], reason: 'as agreed' }
  assert.deepEqual(await lastAudited(app, 'approval.grant'), { ...row, details })
})

test('a decision that is sent again with its key answers the same, and with another body 422 (section 11)', async () => {
  const { approval_id } = await asked()
  const sent = { body: body('deny'), key: `deny-${approval_id}` }
  const first = await asEve('POST', `/approvals/${approval_id}`, sent)
  const again = await asEve('POST', `/approvals/${approval_id}`, sent)
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [200, 'true'])
  assert.deepEqual(again.body, first.body)
  const other = await asEve('POST', `/approvals/${approval_id}`, { ...sent, body: body('grant') })
  assert.equal(other.status, 422)
  const second = await asEve('POST', `/approvals/${approval_id}`, { body: body('grant') })
  assert.deepEqual([second.status, second.body.code], [409, 'conflict'])
})

test('[attack 79] over HTTP the owner of the client gets 403, and so does an app with the scope (section 6)', async () => {
  const { approval_id } = await asked()
  const own = await asAnna('POST', `/approvals/${approval_id}`, { body: body() })
  assert.deepEqual([own.status, own.body.code], [403, 'forbidden'])
  assert.equal((await lastAudited(app, 'approval.grant')).reason, 'own_step')
  const access = [{ resource: `${app.issuer}/admin`, scope: SCOPE }]
  const asApp = adminCalls(app, await givenClient(app, { owner: 'user:local:ida', access }), SCOPE)
  assert.equal((await asApp('POST', `/approvals/${approval_id}`, { body: body() })).status, 403)
  assert.equal((await lastAudited(app, 'approval.grant')).reason, 'approver_not_operator')
  assert.equal((await asApp('GET', `/approvals/${approval_id}`)).body.status, 'pending')
})

test('[attack 79] a console session decides by the same rules as the token that it stands for', async () => {
  const { approval_id } = await asked()
  const path = `/admin/v1/approvals/${approval_id}`
  const post = { method: 'POST', body: body() }
  const [own, other] = [await givenSession(app, SCOPE, anna), await givenSession(app, SCOPE, eve)]
  assert.equal((await asPage(app, own, path, post)).status, 403)
  assert.equal((await lastAudited(app, 'approval.grant')).details.via, 'console')
  assert.equal((await jsonOf(await asPage(app, other, path, post))).status, 'granted')
})

test('the routes need approve:steps, and take nothing that they do not know (sections 2 and 11)', async () => {
  const { approval_id } = await asked()
  const asOther = adminCalls(app, eve, 'approve:agents audit:read')
  const path = `/approvals/${approval_id}`
  for (const [method, target, sent] of [
    ['GET', '/approvals', {}],
    ['GET', path, {}],
    ['POST', path, { body: body() }],
  ] as const) {
    assert.equal((await asOther(method, target, sent)).status, 403)
  }
  const bad = [
    ...[body('approve'), body('grant', { arguments_digest: undefined }), body('grant', { arguments_digest: 'x' })],
    ...[body('grant', { reason: '' }), body('grant', { status: 'granted' }), body('grant', { arguments_digest: [] })],
  ]
  for (const sent of bad) assert.equal((await asEve('POST', path, { body: sent })).status, 400, JSON.stringify(sent))
  for (const target of ['/approvals/1', '/approvals?status=open', '/approvals?limit=0', '/approvals?cursor=AAAA']) {
    assert.equal((await asEve('GET', target)).status, 400, target)
  }
  assert.equal((await asEve('GET', `/approvals/apr_${'A'.repeat(22)}`)).status, 404)
  assert.equal((await asEve('POST', `/approvals/apr_${'A'.repeat(22)}`, { body: body() })).status, 404)
})
