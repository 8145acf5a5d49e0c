import assert from 'node:assert/strict'
import { test } from 'node:test'
import express from 'express'
import { intentOf, protect } from '../../../src/verifier/adapters/express.ts'
import { jsonOf } from '../../support/json-of.ts'
import { NOW } from '../given-call.ts'
import { api, echo } from './express-api.ts'
import { boundHeaders, given, issuedToken, listening } from './issued.ts'

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/v1'

test('a request without a token is challenged and learns of no error (RFC 6750 section 3, RFC 9728 section 5.1)', async () => {
  const { url, told, reached } = await api({ rule: { scope: ['read'] } })
  const answer = await fetch(url)
  assert.equal(answer.status, 401)
  assert.deepEqual(reached, [])
  assert.equal(
    answer.headers.get('www-authenticate'),
    `DPoP scope="read", algs="ES256 EdDSA Ed25519 PS256", resource_metadata="${METADATA}"`,
  )
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.deepEqual(await jsonOf(answer), { error: 'invalid_token', error_description: 'An access token is required.' })
  assert.deepEqual(told.refusals, [{ code: 'invalid_token', reason: 'token_missing', status: 401 }])
})

test('the document is served where its resource says (RFC 9728 sections 2 and 3.1)', async () => {
  const { url } = await api()
  const answer = await fetch(new URL('/.well-known/oauth-protected-resource/v1', url))
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'application/json')
  assert.deepEqual(await jsonOf(answer), {
    resource: 'https://api.example.com/v1',
    authorization_servers: ['https://idp.example.com'],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256'],
    dpop_bound_access_tokens_required: true,
  })
})

test('an app without a guard over everything serves it by guard.metadata; the rest goes on', async () => {
  const { options } = given()
  const guard = protect({ ...options, scopes_supported: ['read'], resource_name: 'Orders' })
  const app = express()
    .use(guard.metadata)
    .get('/free', (_, response) => void response.send('free'))
  const url = await listening(app)
  const { scopes_supported, resource_name } = await jsonOf(
    await fetch(`${url}/.well-known/oauth-protected-resource/v1`),
  )
  assert.deepEqual([scopes_supported, resource_name], [['read'], 'Orders'])
  assert.equal(await (await fetch(`${url}/free`)).text(), 'free')
})

test('a good call reaches its handler, which knows who calls; a proof is taken once (RFC 9449 section 11.1)', async () => {
  const { url, told } = await api({ rule: { scope: ['read'], client_id: 'patcher-app' } })
  const headers = await boundHeaders()
  assert.deepEqual(await jsonOf(await fetch(url, { headers })), { client_id: 'patcher-app', body: null })
  const again = await fetch(url, { headers })
  assert.equal(again.status, 401)
  assert.match(again.headers.get('www-authenticate') ?? '', /^DPoP error="invalid_dpop_proof"/)
  assert.deepEqual(
    told.refusals.map(({ reason }) => reason),
    ['dpop_replayed'],
  )
})

test('a refused rule is 403 and a missing scope is named (RFC 6750 section 3.1, protocol.md section 8)', async () => {
  const scoped = await api({ rule: { scope: ['admin'] } })
  const lacks = await fetch(scoped.url, { headers: await boundHeaders() })
  assert.equal(lacks.status, 403)
  assert.match(lacks.headers.get('www-authenticate') ?? '', /^DPoP error="insufficient_scope".* scope="admin"/)
  const named = await api({ rule: { client_id: 'another' } })
  const denied = await fetch(named.url, { headers: await boundHeaders() })
  assert.deepEqual([denied.status, denied.headers.get('www-authenticate')], [403, null])
  assert.equal((await jsonOf(denied)).error, 'intent_denied')
  assert.deepEqual(
    named.told.refusals.map(({ reason, client_id, jti }) => [reason, client_id, jti]),
    [['rule_client', 'patcher-app', 'jti-1']],
  )
})

test('an API with nonces asks for a proof with one, and takes it (RFC 9449 section 9)', async () => {
  const { options, told } = given()
  const guard = protect({ ...options, nonceKey: new Uint8Array(32).fill(7) })
  const url = `${await listening(express().use(guard({}), echo))}/v1/orders`
  const first = await fetch(url, { headers: await boundHeaders() })
  assert.equal(first.status, 401)
  assert.match(first.headers.get('www-authenticate') ?? '', /^DPoP error="use_dpop_nonce"/)
  const nonce = first.headers.get('dpop-nonce') ?? ''
  assert.equal((await fetch(url, { headers: await boundHeaders({ proof: { nonce } }) })).status, 200)
  assert.deepEqual(
    told.refusals.map(({ reason, status }) => [reason, status]),
    [['api_nonce', 401]],
  )
})

test('whoever sends an unbound token is answered in the words of RFC 6750', async () => {
  const { url } = await api()
  const authorization = `Bearer ${await issuedToken({ cnf: undefined })}`
  assert.equal((await fetch(url, { headers: { authorization } })).status, 200)
  const expired = `Bearer ${await issuedToken({ cnf: undefined, iat: NOW - 400, exp: NOW - 100 })}`
  const answer = await fetch(url, { headers: { authorization: expired } })
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token".*resource_metadata=/)
})

test('a further guard of the same resource narrows a request whose proof is used (section 8)', async () => {
  const { options, told } = given()
  const guard = protect(options)
  const app = express().use(guard({ scope: ['read'] }))
  app.get('/v1/orders', guard({ scope: ['write'] }), echo)
  app.get('/v1/admin', guard({ scope: ['admin'] }), echo)
  app.get('/v1/bound', guard({ boundBody: true }), echo)
  const url = await listening(app)
  assert.equal((await fetch(`${url}/v1/orders`, { headers: await boundHeaders() })).status, 200)
  const admin = await fetch(`${url}/v1/admin`, { headers: await boundHeaders({ path: '/v1/admin' }) })
  assert.deepEqual([admin.status, (await jsonOf(admin)).error], [403, 'insufficient_scope'])
  const loose = await fetch(`${url}/v1/bound`, { headers: await boundHeaders({ path: '/v1/bound' }) })
  assert.equal(loose.status, 401)
  const bound = { headers: await boundHeaders({ path: '/v1/bound', bound: '' }) }
  assert.equal((await fetch(`${url}/v1/bound`, bound)).status, 200)
  assert.deepEqual(
    told.refusals.map(({ reason }) => reason),
    ['rule_scope', 'bd_missing'],
  )
})

test('a guard of another resource judges anew (section 8)', async () => {
  const other = given()
  const app = express().use(protect(given().options)({}))
  app.use(protect({ ...other.options, audience: 'https://other.example.com' })({}), echo)
  const answer = await fetch(`${await listening(app)}/v1/orders`, { headers: await boundHeaders() })
  assert.equal(answer.status, 401)
  assert.deepEqual(
    other.told.refusals.map(({ reason }) => reason),
    ['token_aud'],
  )
})

test('a rule that says what cannot be stops the start, not the first request', () => {
  const guard = protect(given().options)
  assert.throws(() => guard({ agent_id: 'worker' }), TypeError)
  assert.throws(() => guard({ proofs: true }), TypeError)
  assert.throws(() => Reflect.apply(guard, undefined, []), /^TypeError: A guard needs a route rule/)
  assert.throws(() => protect({ ...given().options, audience: 'urn:example:api' }), TypeError)
})

test('intentOf throws where no guard let the request pass', async () => {
  const app = express().get('/v1/orders', (request, response) => {
    assert.throws(() => intentOf(request), /No guard/)
    response.end('thrown')
  })
  assert.equal(await (await fetch(`${await listening(app)}/v1/orders`)).text(), 'thrown')
})

test('a mounted app is judged by the whole path that clients see (attacks.md 36)', async () => {
  const { options } = given()
  const inner = express().use(protect(options)({})).get('/orders', echo)
  const url = await listening(express().use('/v1', inner))
  assert.equal((await fetch(`${url}/v1/orders`, { headers: await boundHeaders() })).status, 200)
  assert.equal((await fetch(`${url}/v1/orders`, { headers: await boundHeaders({ path: '/orders' }) })).status, 401)
})

test('behind a proxy that takes a prefix away, publicUrl puts it back (attacks.md 36)', async () => {
  const { options } = given()
  const app = express().use(protect({ ...options, publicUrl: 'https://api.example.com/v1/' })({}))
  const url = await listening(app.get('/orders', echo))
  assert.equal((await fetch(`${url}/orders?page=2`, { headers: await boundHeaders() })).status, 200)
})
