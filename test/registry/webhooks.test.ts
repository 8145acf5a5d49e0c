import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openWebhookSecret } from '../../src/server/keys/webhook-secret.ts'
import { createWebhook } from '../../src/server/registry/webhooks.ts'
import { startTestApp } from '../support/app.ts'
import { givenAdmin } from '../support/given.ts'
import { givenDue } from '../webhooks/given.ts'
import { adminCalls, lastAudited } from './admin-call.ts'
import { caller, refused, run } from './given.ts'

const app = await startTestApp()
const { ctx, clock } = app
const admin = await givenAdmin(app)
const call = adminCalls(app, admin, 'admin:clients')
const URL_OF_TEAM = 'https://hooks.example.test/team?token=canary-in-url'

async function made(url = URL_OF_TEAM) {
  const { status, body } = await call('POST', '/webhooks', { body: { url } })
  assert.equal(status, 201, JSON.stringify(body))
  return body
}

test('a webhook is made with a secret that is shown once and kept sealed (section 11)', async () => {
  const sent = { body: { url: URL_OF_TEAM }, key: 'make-hook' }
  const first = await call('POST', '/webhooks', sent)
  const { secret, ...view } = first.body
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const created_at = clock.now().toISOString()
  const { webhook_id } = view
  assert.match(webhook_id, /^whk_[A-Za-z0-9_-]{22}$/)
  assert.deepEqual(view, { webhook_id, url: URL_OF_TEAM, status: 'active', created_at, created_by: admin.client_id })
  const again = await call('POST', '/webhooks', sent)
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed'), again.body], [201, 'true', view])
  const list = await call('GET', '/webhooks')
  assert.deepEqual(list.body, { items: [view], next_cursor: null })
  const row = await ctx.db.selectFrom('webhook').select('secret_sealed').executeTakeFirstOrThrow()
  const sealed = row.secret_sealed
  assert.ok(sealed)
  const opened = openWebhookSecret(ctx, webhook_id, sealed)
  assert.equal(`whsec_${opened.toString('base64')}`, secret)
  assert.equal(opened.length, 32)
  assert.throws(() => openWebhookSecret(ctx, `whk_${'A'.repeat(22)}`, sealed))
  const audited = await lastAudited(app, 'webhook.create')
  assert.deepEqual(audited.details, { webhook_id, host: 'hooks.example.test' })
  const everything = JSON.stringify(await ctx.db.selectFrom('audit_event').selectAll().execute()) + app.log.join('')
  assert.doesNotMatch(everything, /whsec_|canary-in-url/)
  assert.notEqual((await made()).secret, secret)
})

test('[attack 108] a URL that would never be called is refused at once', async () => {
  const bad = [
    ...['http://hooks.example.test/', 'ftp://hooks.example.test/', 'https://u:p@hooks.example.test/', 'nonsense'],
    ...['https://127.0.0.1/', 'https://[::1]/', 'https://[::ffff:10.0.0.1]/', 'https://169.254.169.254/', 'https://0/'],
    ...[
      'https://10.1.2.3:8443/x',
      'https://2130706433/',
      'https://hooks.example.test/#part',
      `https://a.test/${'x'.repeat(2048)}`,
    ],
  ]
  for (const url of bad) {
    const { status, body } = await call('POST', '/webhooks', { body: { url } })
    assert.deepEqual([status, body.code], [400, 'invalid_request'], url)
  }
  for (const body of [{}, { url: URL_OF_TEAM, secret: 'mine' }, { url: 1 }]) {
    assert.equal((await call('POST', '/webhooks', { body })).status, 400)
  }
})

test('a deleted webhook is told nothing more, what it had to be told fails, and its secret is erased', async () => {
  const { webhook_id, secret: _, ...rest } = await made()
  const delivery_id = await givenDue(ctx, webhook_id)
  const deleted = await call('DELETE', `/webhooks/${webhook_id}`)
  assert.deepEqual([deleted.status, deleted.body], [200, { webhook_id, ...rest, status: 'deleted' }])
  const { body } = await call('GET', `/webhooks/${webhook_id}/deliveries`)
  const [delivery] = body.items
  const { status, last_result, next_attempt_at } = delivery
  assert.deepEqual(
    [delivery.delivery_id, status, last_result, next_attempt_at],
    [delivery_id, 'failed', 'webhook_deleted', null],
  )
  const { items } = (await call('GET', '/webhooks')).body
  assert.ok(!items.some((item: { webhook_id: string }) => item.webhook_id === webhook_id))
  const row = await ctx.db
    .selectFrom('webhook')
    .select('secret_sealed')
    .where('webhook_id', '=', webhook_id)
    .executeTakeFirstOrThrow()
  assert.equal(row.secret_sealed, null)
  assert.equal((await call('DELETE', `/webhooks/${webhook_id}`)).status, 404)
  assert.equal((await lastAudited(app, 'webhook.delete')).reason, 'not_found')
})

test('deliveries are listed the newest first, in pages of one webhook, without what they say', async () => {
  const { webhook_id } = await made()
  const ids: string[] = []
  for (let n = 0; n < 3; n += 1) {
    clock.advance(1)
    ids.push(await givenDue(ctx, webhook_id, '{"canary":"payload"}'))
  }
  const first = await call('GET', `/webhooks/${webhook_id}/deliveries?limit=2`)
  const [newest] = first.body.items
  const { created_at } = newest
  assert.deepEqual(newest, {
    ...{ delivery_id: ids[2], type: 'approval.opened', status: 'due', attempts: 0, created_at },
    ...{ next_attempt_at: created_at, delivered_at: null, failed_at: null, last_result: null },
  })
  const path = `/webhooks/${webhook_id}/deliveries?limit=2&cursor=${first.body.next_cursor}`
  const rest = await call('GET', path)
  const order = [...first.body.items, ...rest.body.items].map((item: { delivery_id: string }) => item.delivery_id)
  assert.deepEqual([order, rest.body.next_cursor], [ids.toReversed(), null])
  const { webhook_id: other } = await made()
  const foreign = await call('GET', `/webhooks/${other}/deliveries?cursor=${first.body.next_cursor}`)
  assert.equal(foreign.status, 400, 'a cursor is one of its list')
  assert.equal((await call('GET', `/webhooks/whk_${'A'.repeat(22)}/deliveries`)).status, 404)
})

test('webhooks need admin:clients (section 11)', async () => {
  const asOther = adminCalls(app, admin, 'approve:steps audit:read revoke')
  const id = `whk_${'A'.repeat(22)}`
  assert.equal((await asOther('POST', '/webhooks', { body: { url: URL_OF_TEAM } })).status, 403)
  for (const path of ['/webhooks', `/webhooks/${id}/deliveries`]) assert.equal((await asOther('GET', path)).status, 403)
  assert.equal((await asOther('DELETE', `/webhooks/${id}`)).status, 403)
})

test('at most 16 are active, however many are made at the same time', async () => {
  const other = await startTestApp()
  const make = () => run(other.ctx, tx => createWebhook(tx, caller(), { url: URL_OF_TEAM }))
  const outcomes = await Promise.allSettled(Array.from({ length: 24 }, make))
  assert.equal(outcomes.filter(outcome => outcome.status === 'fulfilled').length, 16)
  assert.deepEqual(await refused(make()), { code: 'conflict', reason: 'too_many_webhooks' })
  await other.ctx.db.updateTable('webhook').set({ status: 'gone', secret_sealed: null }).execute()
  assert.ok((await make()).secret)
})
