import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { jsonOf } from '../support/json-of.ts'
import { rawRequest } from '../support/raw-http.ts'

const app = await startTestApp()
const { issuer } = app

test('the metadata lists what works and nothing else (RFC 8414 section 2, protocol.md section 2)', async () => {
  const algs = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256']
  const methods = ['private_key_jwt', 'client_secret_basic', 'client_secret_post']
  const response = await fetch(`${issuer}/.well-known/oauth-authorization-server`)
  assert.equal(response.headers.get('cache-control'), 'public, max-age=300')
  assert.deepEqual(await jsonOf(response), {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported:
      'generate:intent-token register:intent register:workflow read:agents read:agent-components report:refusals admin:clients admin:resources admin:keys approve:agents approve:steps revoke audit:read'.split(
        ' ',
      ),
    response_types_supported: [],
    grant_types_supported: [
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:agent_checksum',
      'agent_checksum',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ],
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: algs,
    introspection_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_signing_alg_values_supported: algs,
    introspection_signing_alg_values_supported: ['ES256', 'EdDSA', 'PS256', 'RS256'],
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: algs,
    code_challenge_methods_supported: ['S256'],
    dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256'],
    authorization_details_types_supported: ['urn:remit:workflow-step'],
    protected_resources: [issuer, `${issuer}/admin`],
    service_documentation: `${issuer}/docs`,
    ajwt_intent_token_endpoint: `${issuer}/intent/token`,
    ajwt_agent_registration_endpoint: `${issuer}/intent/register/agent`,
    ajwt_workflow_registration_endpoint: `${issuer}/intent/register/workflow`,
    ajwt_checksum_profiles_supported: ['jcs', 'reference'],
    ajwt_draft_versions_supported: ['draft-goswami-agentic-jwt-00'],
    ajwt_shim_releases_uri: `${issuer}/.well-known/ajwt-shim-releases`,
  })
})

test('every endpoint that the metadata names is there', async () => {
  const metadata = await jsonOf(await fetch(`${issuer}/.well-known/oauth-authorization-server`))
  const urls = Object.entries(metadata).filter(([name]) => /_endpoint$|_uri$|_documentation$/.test(name))
  for (const [name, url] of urls) assert.notEqual((await fetch(String(url))).status, 404, name)
})

test('the scopes offered are those that some route demands, or asks for besides', async () => {
  // The token pass asks for the first, reads of agents for the second, the revocation of our own keys for the third.
  const besides = ['generate:intent-token', 'read:agent-components', 'admin:keys']
  const demanded = [...app.listeners.routes.public, ...app.listeners.routes.admin].flatMap(({ permission }) =>
    typeof permission === 'object' && permission.scope !== 'any' ? [permission.scope] : [],
  )
  const { scopes_supported } = await jsonOf(await fetch(`${issuer}/.well-known/oauth-authorization-server`))
  assert.ok(Array.isArray(scopes_supported))
  assert.deepEqual(scopes_supported.toSorted(), [...new Set([...besides, ...demanded])].sort())
})

test('openid-configuration is the same document, byte for byte and each time (protocol.md section 2)', async () => {
  const texts = await Promise.all(
    ['oauth-authorization-server', 'openid-configuration', 'openid-configuration'].map(async name =>
      (await fetch(`${issuer}/.well-known/${name}`)).text(),
    ),
  )
  assert.equal(new Set(texts).size, 1)
})

test('both own resources have their metadata on the public listener (RFC 9728 sections 2 and 3)', async () => {
  const common = {
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    resource_documentation: `${issuer}/docs`,
    dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256'],
  }
  const registration = await fetch(`${issuer}/.well-known/oauth-protected-resource`)
  assert.deepEqual(await jsonOf(registration), {
    ...common,
    resource: issuer,
    scopes_supported:
      'generate:intent-token register:intent register:workflow read:agents read:agent-components report:refusals'.split(
        ' ',
      ),
    resource_name: 'Remit registration API',
    dpop_bound_access_tokens_required: false,
  })
  const administration = await fetch(`${issuer}/.well-known/oauth-protected-resource/admin`)
  assert.deepEqual(await jsonOf(administration), {
    ...common,
    resource: `${issuer}/admin`,
    scopes_supported: 'admin:clients admin:resources admin:keys approve:agents approve:steps revoke audit:read'.split(
      ' ',
    ),
    resource_name: 'Remit administration API',
    dpop_bound_access_tokens_required: true,
  })
})

test('an issuer with a path has its metadata at the path-inserted address (RFC 8414 section 3.1)', async () => {
  const tenant = await startTestApp({ path: '/tenant' })
  const { origin } = new URL(tenant.issuer)
  for (const path of [
    '/.well-known/oauth-authorization-server/tenant',
    '/.well-known/openid-configuration/tenant',
    '/tenant/.well-known/openid-configuration',
  ]) {
    const metadata = await jsonOf(await fetch(`${origin}${path}`))
    assert.equal(metadata.issuer, tenant.issuer, path)
    assert.equal((await fetch(String(metadata.jwks_uri))).status, 200)
  }
  const admin = await jsonOf(await fetch(`${origin}/.well-known/oauth-protected-resource/tenant/admin`))
  assert.equal(admin.resource, `${tenant.issuer}/admin`)
  const refused = await fetch(`${tenant.issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams({ a: 'b' }) })
  assert.equal((await jsonOf(refused)).error, 'invalid_request')
})

test('the authorization endpoint says in a page that it issues nothing yet (protocol.md section 2)', async () => {
  const response = await fetch(`${issuer}/oauth/authorize?redirect_uri=https://evil.example/<script>`)
  const page = await response.text()
  assert.equal(response.status, 400)
  assert.match(page, /no interactive sign-in yet/)
  assert.ok(!page.includes('evil.example'))
  assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/)
})

test('the JWKS has public members only, a strong ETag, and 304 for it (RFC 7517, RFC 9110 section 13.1.2)', async () => {
  const url = `${issuer}/.well-known/jwks.json`
  const response = await fetch(url)
  const etag = response.headers.get('etag') ?? ''
  assert.match(etag, /^"[A-Za-z0-9_-]{43}"$/)
  assert.equal(response.headers.get('cache-control'), 'public, max-age=300')
  const { keys } = await jsonOf(response)
  assert.ok(Array.isArray(keys))
  assert.deepEqual(keys.map(key => (typeof key === 'object' && key && 'alg' in key ? key.alg : '')).sort(), [
    'ES256',
    'EdDSA',
    'PS256',
    'RS256',
  ])
  const secret = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']
  assert.ok(keys.every(key => typeof key === 'object' && key && !secret.some(name => name in key)))
  const again = await fetch(url, { headers: { 'if-none-match': `"other", W/${etag}` } })
  assert.equal(again.status, 304)
  assert.equal(await again.text(), '')
})

test('[attack 113] no cross-origin header is ever sent, whatever the Origin', async () => {
  for (const path of ['/.well-known/jwks.json', '/oauth/token', '/intent/token']) {
    const response = await fetch(`${issuer}${path}`, { headers: { origin: 'https://evil.example' } })
    assert.equal(response.headers.get('access-control-allow-origin'), null, path)
  }
})

test('/docs is served by this server alone, under a strict content security policy', async () => {
  const response = await fetch(`${issuer}/docs/`)
  assert.equal(response.status, 200)
  const policy = response.headers.get('content-security-policy') ?? ''
  assert.match(policy, /^default-src 'none'; script-src 'self';/)
  const page = await response.text()
  assert.deepEqual(page.match(/(?:src|href)="(?:https?:)?\/\//g), null)
  // Larger than what we take from others ourselves.
  const document = JSON.parse(await (await fetch(`${issuer}/docs/json`)).text())
  assert.ok(Object.hasOwn(document.paths, '/admin/v1/clients'))
})

test('[attack 104, 105] a file of /docs that is none is refused without a 5xx, as are other methods and ranges', async () => {
  const { host } = new URL(issuer)
  const css = '/docs/static/index.css'
  const requests: readonly (readonly [string, number])[] = [
    ['GET /docs/static/../x', 404],
    ['GET /docs/static/%2e%2e/x', 404],
    ['GET /docs/static/%2e%2e%2fx', 404],
    ['GET /docs/static//etc/passwd', 404],
    ['GET /docs/static/a%00b', 400],
    ['GET /docs/static/%ff', 400],
    [`GET /docs/static/${'a'.repeat(5000)}`, 404],
    ['PUT /docs/json', 404],
    [`PUT ${css}`, 404],
  ]
  for (const [start, status] of requests) {
    const answer = await rawRequest(issuer, `${start} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    assert.equal(answer.status, status, start.slice(0, 40))
    assert.match(answer.headers, /application\/problem\+json/)
  }
  for (const [name, value, status] of [
    ['Range', 'bytes=99999999-', 416],
    ['If-Match', '"x"', 412],
  ] as const) {
    const answer = await rawRequest(issuer, `GET ${css} HTTP/1.1\r\nHost: ${host}\r\n${name}: ${value}\r\n\r\n`)
    assert.equal(answer.status, status, name)
  }
})
