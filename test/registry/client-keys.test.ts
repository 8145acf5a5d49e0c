import assert from 'node:assert/strict'
import { test } from 'node:test'
import { givenListener, givenServer } from '../fetch/given.ts'
import { startTestApp } from '../support/app.ts'
import { asWebKey } from '../support/as-web-key.ts'
import { generateKey, type TestKey } from '../support/dpop.ts'
import { accessToken, type GivenClient, givenAdmin, givenClient } from '../support/given.ts'
import { adminCalls, lastAudited } from './admin-call.ts'

const app = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: '1' } })
const { issuer, clock } = app
const call = adminCalls(app, await givenAdmin(app), 'admin:clients revoke')
const TARGET = { resource: issuer, scope: 'read:agents' }

/** A client's own server of keys; `served.keys` undefined is an outage. */
async function givenKeyServer(...keys: readonly TestKey[]) {
  const served: { keys: readonly object[] | undefined } = { keys: keys.map(key => key.jwk) }
  const { url, seen } = await givenServer((_request, response) => {
    response.writeHead(served.keys ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: served.keys }))
  })
  return { url, served, seen }
}

function clientBody(jwks_uri: string, over: object = {}) {
  return {
    client_name: 'Remote',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri,
    grant_types: ['client_credentials'],
    access: [TARGET],
    ...over,
  }
}

async function givenRemoteClient(key: TestKey, jwks_uri: string): Promise<GivenClient> {
  const { status, body } = await call('POST', '/clients', { body: clientBody(jwks_uri) })
  assert.equal(status, 201)
  return { client_id: body.client_id, key, dpopKey: await generateKey() }
}

test('a client signs with the keys behind its jwks_uri, and with no other (RFC 7591 section 2)', async () => {
  const key = await generateKey()
  const { url } = await givenKeyServer(key)
  const client = await givenRemoteClient(key, url)
  const { body } = await call('GET', `/clients/${client.client_id}`)
  assert.deepEqual([body.jwks, body.jwks_uri, body.secrets], [null, url, []])
  await accessToken(app, client, TARGET)
  const foreign = { ...client, key: await generateKey() }
  await assert.rejects(accessToken(app, foreign, TARGET), /invalid_client/)
})

test('a rotated key is taken after 5 minutes at most, and the key it replaces no more', async () => {
  const [old, fresh] = [await generateKey(), await generateKey()]
  const { url, served } = await givenKeyServer(old)
  const client = await givenRemoteClient(old, url)
  await accessToken(app, client, TARGET)
  served.keys = [fresh.jwk]
  clock.advance(300)
  await accessToken(app, { ...client, key: fresh }, TARGET)
  await assert.rejects(accessToken(app, client, TARGET), /invalid_client/)
})

test('through an outage the kept keys serve for an hour; then, and where none were kept, it is 503 and never accepted', async () => {
  const key = await generateKey()
  const { url, served } = await givenKeyServer(key)
  const client = await givenRemoteClient(key, url)
  served.keys = undefined
  await assert.rejects(accessToken(app, client, TARGET), /temporarily_unavailable/)
  served.keys = [key.jwk]
  await assert.rejects(accessToken(app, client, TARGET), /temporarily_unavailable/)
  clock.advance(30)
  await accessToken(app, client, TARGET)
  served.keys = undefined
  clock.advance(3_600)
  await accessToken(app, client, TARGET)
  clock.advance(1)
  await assert.rejects(accessToken(app, client, TARGET), /temporarily_unavailable/)
})

test('a revoked client’s keys are fetched no more', async () => {
  const key = await generateKey()
  const { url, seen } = await givenKeyServer(key)
  const client = await givenRemoteClient(key, url)
  await call('POST', '/revocations', { body: { kind: 'client', id: client.client_id, reason: 'x' } })
  await assert.rejects(accessToken(app, client, TARGET), /invalid_client/)
  assert.equal(seen.requests.length, 1)
})

test('[attack 108] a jwks_uri that cannot be used is refused as invalid_client_metadata, at creation and at change', async () => {
  const { jwk } = await generateKey()
  const own = app.ctx.keys.published().find(published => published.alg === 'ES256') ?? {}
  const { client_id } = await givenClient(app)
  const none = await givenKeyServer()
  const ours = await givenKeyServer()
  ours.served.keys = [own]
  const secret = await givenKeyServer()
  secret.served.keys = [{ ...jwk, d: 'AA' }]
  const down = await givenKeyServer()
  down.served.keys = undefined
  const refusals = [
    ['fetch_malformed', none.url],
    ['own_key', ours.url],
    ['fetch_malformed', secret.url],
    ['fetch_status', down.url],
    ['fetch_unreachable', 'http://127.0.0.1:1/'],
    ['fetch_forbidden_address', 'https://169.254.169.254/latest/meta-data'],
    ['fetch_forbidden_url', 'https://user:secret@keys.example/'],
  ] as const
  for (const [reason, jwks_uri] of refusals) {
    const created = await call('POST', '/clients', { body: clientBody(jwks_uri) })
    assert.deepEqual([jwks_uri, created.status, created.body.code], [jwks_uri, 400, 'invalid_client_metadata'])
    assert.equal(JSON.stringify(created.body).includes('secret@'), false)
    assert.equal((await lastAudited(app, 'client.create')).reason, reason)
    const changed = await call('PATCH', `/clients/${client_id}`, { body: { jwks_uri } })
    assert.deepEqual([jwks_uri, changed.status, changed.body.code], [jwks_uri, 400, 'invalid_client_metadata'])
    assert.equal((await lastAudited(app, 'client.update')).reason, reason)
  }
})

test('[attack 108] without the development switch a server on loopback is not even dialled', async () => {
  const strict = await startTestApp()
  const { port, seen } = await givenListener()
  const create = adminCalls(strict, await givenAdmin(strict), 'admin:clients')
  for (const scheme of ['http', 'https']) {
    const body = clientBody(`${scheme}://127.0.0.1:${port}/`, { access: [] })
    const created = await create('POST', '/clients', { body })
    assert.deepEqual([created.status, created.body.code], [400, 'invalid_client_metadata'])
  }
  assert.deepEqual(seen, { connections: 0, bytes: 0 })
})

test('jwks and jwks_uri take each other’s place, and one of them goes with private_key_jwt (section 11)', async () => {
  const key = await generateKey()
  const { url } = await givenKeyServer(key)
  const client = await givenClient(app, { access: [TARGET] })
  const path = `/clients/${client.client_id}`
  const moved = await call('PATCH', path, { body: { jwks_uri: url } })
  assert.deepEqual([moved.status, moved.body.jwks, moved.body.jwks_uri], [200, null, url])
  const { details } = await lastAudited(app, 'client.update')
  const changed = { jwks_uri: { before: null, after: url }, jwks: { before: [client.key.jkt], after: null } }
  assert.deepEqual(details, { changed, ended_tokens: 0 })
  await assert.rejects(accessToken(app, client, TARGET), /invalid_client/)
  await accessToken(app, { ...client, key }, TARGET)
  const back = await call('PATCH', path, { body: { jwks: { keys: [client.key.jwk] } } })
  assert.deepEqual([back.status, back.body.jwks_uri], [200, null])
  await accessToken(app, client, TARGET)
  const wrong = [{ jwks: { keys: [key.jwk] } }, { token_endpoint_auth_method: 'client_secret_basic' }]
  for (const over of wrong) assert.equal((await call('POST', '/clients', { body: clientBody(url, over) })).status, 400)
})

test('a revoked key is refused while its entry stands, also where its client still publishes it (section 9)', async () => {
  const key = await generateKey()
  const { url } = await givenKeyServer(key, await generateKey('EdDSA'))
  const client = await givenRemoteClient(key, url)
  await accessToken(app, client, TARGET)
  const { ctx } = app
  const revoked_at = ctx.now()
  const ends_at = new Date(revoked_at.getTime() + 960_000)
  const entry = { kind: 'key', id: key.jkt, reason: 'stolen', revoked_by: 'admin', revoked_at, ends_at } as const
  await ctx.db.insertInto('revocation').values(entry).execute()
  await assert.rejects(accessToken(app, client, TARGET), /invalid_client/)
})

test('a key of ours that a client publishes later opens nothing', async () => {
  const { ctx } = app
  const key = await generateKey()
  const { url, served } = await givenKeyServer(key)
  const client = await givenRemoteClient(key, url)
  const { kid, alg, key: privateKey } = await ctx.keys.signer('ES256')
  served.keys = [ctx.keys.published().find(published => published.kid === kid) ?? {}]
  const ours = { ...key, alg, privateKey: asWebKey(privateKey) }
  await assert.rejects(accessToken(app, { ...client, key: ours }, TARGET), /invalid_client/)
})
