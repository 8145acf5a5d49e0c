import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { jsonOf } from '../support/json-of.ts'

test('[attack 43] with the database away: tokens 503 with Retry-After, keys and metadata still served (protocol.md section 10)', async () => {
  const app = await startTestApp()
  const ready = await fetch(`${app.issuer}/readyz`)
  assert.equal(ready.status, 200)
  assert.deepEqual(await jsonOf(ready), {
    status: 'ready',
    checks: { accepting: true, clock: true, database: true, migrations: true, pool: true, signing_key: true },
  })
  await app.database.drop()

  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'read',
    client_id: 'somebody',
    client_secret: 'CANARY-secret',
  })
  const token = await fetch(`${app.issuer}/oauth/token`, { method: 'POST', body })
  assert.equal(token.status, 503)
  assert.match(token.headers.get('retry-after') ?? '', /^[1-9]/)
  assert.equal(token.headers.get('cache-control'), 'no-store')
  assert.ok(token.headers.get('dpop-nonce'))
  assert.deepEqual(await jsonOf(token), {
    error: 'temporarily_unavailable',
    error_description: 'The service cannot answer at the moment. Try again.',
    error_uri: `${app.issuer}/errors/temporarily_unavailable`,
  })
  assert.equal((await fetch(`${app.issuer}/.well-known/jwks.json`)).status, 200)
  assert.equal((await fetch(`${app.issuer}/.well-known/oauth-authorization-server`)).status, 200)
  assert.equal((await fetch(`${app.issuer}/healthz`)).status, 200)
  const notReady = await fetch(`${app.issuer}/readyz`)
  assert.equal(notReady.status, 503)
  assert.deepEqual(await jsonOf(notReady), {
    status: 'not_ready',
    checks: { accepting: true, clock: true, database: false, migrations: false, pool: true, signing_key: false },
  })
  assert.ok(!app.log.some(line => line.includes('CANARY')))
})

test('[attack 110] hostile input stays inside one JSON log line and out of metric labels', async () => {
  const app = await startTestApp()
  const path = '/x%0d%0a%1b[31m%e2%80%a8%22}/%7b'
  await fetch(`${app.issuer}${path}?secret=CANARY-query`)
  await fetch(`${app.issuer}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'CANARY-grant' }),
  })
  assert.ok(app.log.length > 0)
  for (const line of app.log) {
    assert.equal(line.trimEnd().split(/\r|\n|\u2028/).length, 1)
    assert.equal(typeof JSON.parse(line), 'object')
  }
  const metrics = await (await fetch(`${app.adminUrl}/metrics`)).text()
  assert.match(metrics, /remit_requests_total\{route="unmatched",status="404"\} 1/)
  assert.match(metrics, /remit_refusals_total\{reason="/)
  assert.match(metrics, /remit_db_pool_connections\{state="idle"\}/)
  assert.match(metrics, /nodejs_eventloop_lag_seconds/)
  for (const text of [metrics, ...app.log]) assert.ok(!text.includes('CANARY'))
})

test('metrics are not on the public listener (protocol.md section 2)', async () => {
  const app = await startTestApp()
  assert.equal((await fetch(`${app.issuer}/metrics`)).status, 404)
})

test('with one listener for both, everything is there (REMIT_ADMIN_LISTEN=same)', async () => {
  const app = await startTestApp({ env: { REMIT_ADMIN_LISTEN: 'same' } })
  assert.equal((await fetch(`${app.issuer}/metrics`)).status, 200)
  assert.equal((await fetch(`${app.issuer}/healthz`)).status, 200)
  assert.equal((await fetch(`${app.issuer}/admin/v1/clients`)).status, 401)
})

test('an unexpected error is a plain 500: logged, without its text or stack in the answer', async () => {
  const app = await startTestApp()
  const { ctx } = app
  Reflect.set(ctx.metrics.registry, 'metrics', async () => {
    throw new Error('CANARY-internal')
  })
  const response = await fetch(`${app.adminUrl}/metrics`)
  const text = await response.text()
  assert.equal(response.status, 500)
  assert.equal(JSON.parse(text).code, 'server_error')
  assert.ok(!text.includes('CANARY'))
  assert.ok(app.log.some(line => line.includes('CANARY-internal') && line.includes('unexpected error')))
})
