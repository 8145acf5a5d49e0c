import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { givenAdmin, givenClient } from '../support/given.ts'
import { adminCalls, lastAudited } from './admin-call.ts'

const app = await startTestApp()
const { ctx, issuer, clock } = app
const call = adminCalls(app, await givenAdmin(app), 'admin:clients')
const access = [{ resource: issuer, scope: 'register:intent' }]

async function givenSecretClient() {
  const body = {
    client_name: 'Shop',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['client_credentials'],
    access,
  }
  const { client_id, client_secret } = (await call('POST', '/clients', { body })).body
  const rotate = (overlap_seconds: number, key?: string) =>
    call('POST', `/clients/${client_id}/secret`, { body: { overlap_seconds }, ...(key !== undefined && { key }) })
  return { client_id: String(client_id), client_secret: String(client_secret), rotate }
}

/** Whether the secret is taken at the token endpoint. */
async function opens(client_id: string, client_secret: string): Promise<boolean> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'register:intent',
    resource: issuer,
    client_id,
    client_secret,
  })
  const response = await fetch(`${issuer}/oauth/token`, { method: 'POST', body })
  assert.ok(response.status === 200 || response.status === 401, `${response.status}`)
  return response.status === 200
}

test('a new secret is shown once, and the old one is good for the overlap and not a second more (section 11)', async () => {
  const { client_id, client_secret, rotate } = await givenSecretClient()
  const rotated = await rotate(60, 'rotate-1')
  assert.equal(rotated.status, 201)
  const { client_secret: fresh, ...view } = rotated.body
  const ends_at = new Date(ctx.now().getTime() + 60_000).toISOString()
  const [first, second] = view.secrets
  assert.deepEqual([first.expires_at, second.expires_at, view.secrets.length], [null, ends_at, 2])
  assert.equal(JSON.stringify(view).includes(fresh), false)
  const again = await rotate(60, 'rotate-1')
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed'), again.body], [201, 'true', view])
  const { details } = await lastAudited(app, 'client.rotate_secret')
  assert.deepEqual(details, { overlap_seconds: 60 })
  assert.deepEqual([await opens(client_id, client_secret), await opens(client_id, fresh)], [true, true])
  // The replay took one second of the clock.
  clock.advance(58)
  assert.equal(await opens(client_id, client_secret), true)
  clock.advance(1)
  assert.deepEqual([await opens(client_id, client_secret), await opens(client_id, fresh)], [false, true])
})

test('without an overlap every older secret ends at once (section 11)', async () => {
  const { client_id, client_secret, rotate } = await givenSecretClient()
  const second = (await rotate(600)).body.client_secret
  const third = (await rotate(0)).body
  assert.deepEqual(third.secrets, [{ created_at: ctx.now().toISOString(), expires_at: null }])
  const taken = await Promise.all([client_secret, second, third.client_secret].map(secret => opens(client_id, secret)))
  assert.deepEqual(taken, [false, false, true])
})

test('a rotation never lets an older secret live longer than it would (section 11)', async () => {
  const { rotate } = await givenSecretClient()
  await rotate(10)
  const ends_at = new Date(ctx.now().getTime() + 10_000).toISOString()
  const { secrets } = (await rotate(600)).body
  assert.equal(secrets.length, 3)
  assert.equal(secrets[2].expires_at, ends_at)
})

test('a client has at most 8 secrets at once, also when rotations race', async () => {
  const { client_id, rotate } = await givenSecretClient()
  const statuses = (await Promise.all(Array.from({ length: 9 }, () => rotate(600)))).map(answer => answer.status)
  assert.deepEqual(statuses.sort(), [201, 201, 201, 201, 201, 201, 201, 409, 409])
  assert.equal((await call('GET', `/clients/${client_id}`)).body.secrets.length, 8)
  assert.equal((await rotate(0)).status, 201)
})

test('only a client of a secret method has one to rotate', async () => {
  const { client_id } = await givenClient(app)
  const { status, body } = await call('POST', `/clients/${client_id}/secret`, { body: {} })
  assert.deepEqual([status, body.code], [400, 'invalid_request'])
  assert.equal((await lastAudited(app, 'client.rotate_secret')).reason, 'no_secret')
  assert.equal((await call('POST', '/clients/nobody/secret', { body: {} })).status, 404)
  for (const overlap_seconds of [-1, 604_801, '5', 1.5]) {
    assert.equal((await call('POST', `/clients/${client_id}/secret`, { body: { overlap_seconds } })).status, 400)
  }
})

test('[attack 118] nobody takes a secret of an administrator with more scopes than their own token has', async () => {
  const method = { token_endpoint_auth_method: 'client_secret_basic', jwks: undefined }
  const { client_id } = await givenAdmin(app, method)
  const { status } = await call('POST', `/clients/${client_id}/secret`, { body: {} })
  assert.equal(status, 403)
  assert.equal((await lastAudited(app, 'client.rotate_secret')).reason, 'admin_scope_not_held')
})
