import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discoverAuthorizationServerMetadata } from '@modelcontextprotocol/client'
import { calculateJwkThumbprint, decodeProtectedHeader, type JWK } from 'jose'
import * as oauth from 'oauth4webapi'
import { z } from 'zod'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey, signAssertion, signJws, signProof, type TestKey } from '../support/dpop.ts'
import { get, postForm, postJson } from './http.ts'
import { freePort } from './listen.ts'
import { mint } from './minting.ts'
import { AGENT_GRANT, ASSERTION_TYPE, assertionOf, clientToken, proofHeader, startSetting } from './setting.ts'

const API = 'https://api.example.com/patches'
const ACCESS = [{ resource: API, scope: 'repo:write' }]
const documentSchema = z.record(z.string(), z.unknown())
const namesSchema = z.array(z.string()).min(1)
const keysSchema = z.strictObject({ keys: z.array(z.record(z.string(), z.string())) })

const setting = await startSetting()
const { app, issuer } = setting
await setting.createResource({ resource: API, scopes: [{ name: 'repo:write' }] })
const own = { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' }
const client = await setting.createKeyClient({ access: [own, ...ACCESS] })
const key = await generateKey()
const rights = { access: ACCESS, outside_workflow: true }
const agent = await setting.registerAgent(client, { agent_id: 'patcher', grant: rights, key })
const metadata = documentSchema.parse((await get(`${issuer}/.well-known/oauth-authorization-server`)).body)

/** For each member of the metadata what shows that it works: nothing is listed that does not (protocol.md section 2). */
const MEMBERS: Readonly<Record<string, (value: unknown) => Promise<void>>> = {
  issuer: async value => assert.equal(value, issuer),
  authorization_endpoint: async value => {
    const { status, headers, body } = await get(`${value}?response_type=code&client_id=${client.client_id}`)
    assert.equal(status, 400)
    assert.match(headers.get('content-type') ?? '', /^text\/html/)
    assert.match(String(body), /no interactive sign-in yet/)
  },
  response_types_supported: async value => assert.deepEqual(value, []),
  // Nothing can use it until an interactive grant exists; MCP clients stop without it (standards.md section 1.2).
  code_challenge_methods_supported: async value => assert.deepEqual(value, ['S256']),
  token_endpoint: async value => assert.equal(await errorOfForm(value), 'invalid_request'),
  introspection_endpoint: async value => assert.equal(await errorOfForm(value), 'invalid_request'),
  revocation_endpoint: async value => assert.equal(await errorOfForm(value), 'invalid_request'),
  jwks_uri: async value => {
    const { status, body } = await get(String(value))
    assert.equal(status, 200)
    for (const published of keysSchema.parse(body).keys) await assertPublicKey(published)
  },
  scopes_supported: async value => {
    for (const scope of namesSchema.parse(value)) {
      const resource = /^(admin:|approve:|revoke$|audit:)/.test(scope) ? `${issuer}/admin` : issuer
      const caller =
        resource === issuer ? await setting.createKeyClient({ access: [{ resource, scope }] }) : setting.administrator
      assert.match(await clientToken(app, caller, { scope, resource }, true), /^ey/)
    }
  },
  grant_types_supported: async value => {
    const names = ['agent_checksum', 'client_credentials', AGENT_GRANT, TOKEN_EXCHANGE_GRANT]
    assert.deepEqual(namesSchema.parse(value).toSorted(), names)
    for (const grant_type of namesSchema.parse(value)) assert.equal((await grant(grant_type)).status, 200)
  },
  token_endpoint_auth_methods_supported: value => assertMethods(value, 'token'),
  introspection_endpoint_auth_methods_supported: value => assertMethods(value, 'introspect'),
  revocation_endpoint_auth_methods_supported: value => assertMethods(value, 'revoke'),
  token_endpoint_auth_signing_alg_values_supported: value => assertAssertionAlgs(value, 'token'),
  introspection_endpoint_auth_signing_alg_values_supported: value => assertAssertionAlgs(value, 'introspect'),
  revocation_endpoint_auth_signing_alg_values_supported: value => assertAssertionAlgs(value, 'revoke'),
  introspection_signing_alg_values_supported: async value => {
    for (const signing_alg of namesSchema.parse(value)) {
      const { client_id, key } = await setting.createKeyClient({ access: ACCESS })
      const resource = `https://introspects.example.com/${signing_alg}`
      await setting.createResource({ resource, scopes: [{ name: 'read' }], signing_alg, client_id })
      const form = { token: 'x', ...(await assertionOf(app, { client_id, key })) }
      const headers = { accept: 'application/token-introspection+jwt' }
      const answer = await postForm(`${issuer}/oauth/introspect`, form, headers)
      assert.equal(decodeProtectedHeader(String(answer.body)).alg, signing_alg)
    }
  },
  dpop_signing_alg_values_supported: async value => {
    const url = `${issuer}/oauth/token`
    for (const alg of namesSchema.parse(value)) {
      const form = { grant_type: 'client_credentials', scope: 'register:intent', resource: issuer }
      const dpop = await signProof(await keyFor(alg), { htu: url, iat: app.clock.seconds() })
      const answer = await postForm(url, { ...form, ...(await assertionOf(app, client)) }, { dpop })
      assert.equal(answer.status, 200, alg)
    }
  },
  protected_resources: async value => {
    assert.deepEqual(value, [issuer, `${issuer}/admin`])
    for (const resource of namesSchema.parse(value)) {
      const path = new URL(resource).pathname.replace(/\/$/, '')
      const { status, body } = await get(`${issuer}/.well-known/oauth-protected-resource${path}`)
      assert.deepEqual([status, documentSchema.parse(body).resource], [200, resource])
    }
  },
  service_documentation: async value => {
    const { status, headers } = await get(String(value))
    assert.equal(status, 200)
    assert.match(headers.get('content-type') ?? '', /^text\/html/)
  },
  ajwt_intent_token_endpoint: async value => {
    for (const grant_type of ['agent_checksum', AGENT_GRANT]) {
      const { agent_id, checksum: computed_checksum } = agent
      const asked = { requested_scopes: ['repo:write'], audience: API }
      const body = { grant_type, agent_id, computed_checksum, ...asked, ...(await assertionOf(app, client)) }
      const answer = await postJson(String(value), body, await proofHeader(app, key, String(value)))
      assert.equal(answer.status, 200)
    }
  },
  ajwt_agent_registration_endpoint: async value => {
    assert.equal((await postJson(String(value), {})).status, 401)
    assert.equal(value, `${issuer}/intent/register/agent`)
  },
  ajwt_workflow_registration_endpoint: async value => {
    const token = await clientToken(app, client, { scope: 'register:workflow', resource: issuer })
    const body = { workflow_id: 'auto-patch', steps: [{ step_id: 'scan', agent_id: 'patcher' }] }
    const { status } = await postJson(String(value), body, { authorization: `Bearer ${token}` })
    assert.equal(status, 200)
  },
  ajwt_checksum_profiles_supported: async value => {
    for (const checksum_profile of namesSchema.parse(value)) {
      const token = await clientToken(app, client, { scope: 'register:intent', resource: issuer })
      const agent_components = { agent_id: `by-${checksum_profile}`, prompt_template: '', tools: [] }
      const body = { app_id: client.client_id, agent_components, checksum_profile }
      const headers = { authorization: `Bearer ${token}` }
      assert.equal((await postJson(`${issuer}/intent/register/agent`, body, headers)).status, 200)
    }
  },
  ajwt_shim_releases_uri: async value => assert.equal((await get(String(value))).status, 200),
  authorization_details_types_supported: async value => {
    const steps = [{ step_id: 'scan', agent_id: 'patcher' }]
    await setting.registerWorkflow(client, { workflow_id: 'one-step', steps })
    for (const type of namesSchema.parse(value)) {
      const details = [{ type, workflow_id: 'one-step', workflow_step: 'scan' }]
      const answer = await grant(AGENT_GRANT, { authorization_details: JSON.stringify(details) })
      const { authorization_details, execution_id } = documentSchema.parse(answer.body)
      assert.deepEqual(authorization_details, [{ ...details[0], execution_id }])
    }
  },
  // What that version asks for is draft-client.test.ts.
  ajwt_draft_versions_supported: async value => assert.deepEqual(value, ['draft-goswami-agentic-jwt-00']),
}

for (const [name, check] of Object.entries(MEMBERS)) {
  test(`what the metadata lists as ${name} works (RFC 8414 section 2, protocol.md section 2)`, async () => {
    await check(metadata[name])
  })
}

test('the metadata lists nothing that is not tried here (protocol.md section 2)', () => {
  const untried = Object.keys(metadata).filter(name => !Object.hasOwn(MEMBERS, name))
  assert.deepEqual(untried, [])
})

test('a grant that the metadata does not list is unsupported_grant_type (RFC 6749 section 5.2)', async () => {
  for (const grant_type of ['password', 'authorization_code', 'refresh_token', 'token-exchange']) {
    const { status, body } = await grant(grant_type)
    assert.deepEqual([status, documentSchema.parse(body).error], [400, 'unsupported_grant_type'])
  }
})

test('the metadata is one document at both well-known names (RFC 8414 section 3)', async () => {
  const { status, body } = await get(`${issuer}/.well-known/openid-configuration`)
  assert.deepEqual([status, body], [200, metadata])
})

test('an issuer with a path is found by path insertion and by appending (RFC 8414 section 3.1)', async () => {
  const port = await freePort()
  const base = `http://127.0.0.1:${port}/idp`
  await startTestApp({ env: { REMIT_PORT: String(port), REMIT_ISSUER: base } })
  for (const algorithm of ['oauth2', 'oidc'] as const) {
    const response = await oauth.discoveryRequest(new URL(base), { algorithm, [oauth.allowInsecureRequests]: true })
    const found = await oauth.processDiscoveryResponse(new URL(base), response)
    assert.deepEqual([found.issuer, found.token_endpoint], [base, `${base}/oauth/token`])
  }
  const found = await discoverAuthorizationServerMetadata(base)
  assert.equal(found?.jwks_uri, `${base}/.well-known/jwks.json`)
  assert.equal((await get(`${base}/.well-known/jwks.json`)).status, 200)
  const resource = await oauth.resourceDiscoveryRequest(new URL(base), { [oauth.allowInsecureRequests]: true })
  assert.equal((await oauth.processResourceDiscoveryResponse(new URL(base), resource)).resource, base)
})

test('the key set has ETag, answers 304 to it and may be cached (RFC 9110 section 13.1.2)', async () => {
  const url = `${issuer}/.well-known/jwks.json`
  const { headers } = await get(url)
  const etag = headers.get('etag') ?? ''
  assert.match(etag, /^"[\w-]+"$/)
  assert.match(headers.get('cache-control') ?? '', /max-age=\d+/)
  assert.equal((await fetch(url, { headers: { 'if-none-match': etag } })).status, 304)
})

async function grant(grant_type: string, more: Readonly<Record<string, string>> = {}) {
  const asked = { resource: API, scope: 'repo:write', ...more }
  if (grant_type === 'client_credentials') {
    const form = { grant_type, scope: 'register:intent', resource: issuer, ...(await assertionOf(app, client)) }
    return await postForm(`${issuer}/oauth/token`, form)
  }
  if (grant_type === TOKEN_EXCHANGE_GRANT) return await exchangeOfWorkload()
  return await mint(setting, client, agent, asked, grant_type)
}

/** A job of a trusted issuer gets a client-level token (RFC 8693; protocol.md section 6 (b)). */
async function exchangeOfWorkload() {
  const access = [{ resource: issuer, scope: 'register:intent' }]
  const registrar = await setting.createKeyClient({ access, grant_types: [TOKEN_EXCHANGE_GRANT] })
  const job = { iss: 'https://ci.example.com', aud: issuer, sub: 'job-1', repository: 'example/patcher' }
  const clients = [registrar.client_id]
  await setting.createTrustedIssuer({
    ...{ name: 'ci', issuer: job.iss, purpose: 'workload', audience: issuer, claims: { repository: job.repository } },
    ...{ jwks: { keys: [key.jwk] }, algs: ['ES256'], clients, access },
  })
  const iat = app.clock.seconds()
  const form = {
    ...{ grant_type: TOKEN_EXCHANGE_GRANT, scope: 'register:intent', resource: issuer },
    subject_token: await signJws(key, { typ: 'JWT', alg: 'ES256' }, { ...job, iat, exp: iat + 60 }),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  }
  return await postForm(`${issuer}/oauth/token`, { ...form, ...(await assertionOf(app, registrar)) })
}

/** What an endpoint says to an empty form: that it is there. */
async function errorOfForm(url: unknown): Promise<unknown> {
  const { status, body } = await postForm(String(url), {})
  assert.equal(status, 400)
  return documentSchema.parse(body).error
}

/** Each method works at the endpoint, and only for the client that is registered for it. */
async function assertMethods(value: unknown, endpoint: string): Promise<void> {
  for (const token_endpoint_auth_method of namesSchema.parse(value)) {
    const access = [{ resource: issuer, scope: 'read:agents' }]
    if (token_endpoint_auth_method === 'private_key_jwt') {
      const byKey = await setting.createKeyClient({ access })
      assert.equal((await ask(endpoint, await assertionOf(app, byKey))).status, 200)
      continue
    }
    const { client_id, client_secret } = await setting.createSecretClient({ access, token_endpoint_auth_method })
    const basic = { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}` }
    const byHeader = await ask(endpoint, {}, basic)
    const byBody = await ask(endpoint, { client_id, client_secret })
    const expected = token_endpoint_auth_method === 'client_secret_basic' ? [200, 401] : [401, 200]
    assert.deepEqual([byHeader.status, byBody.status], expected)
  }
}

async function assertAssertionAlgs(value: unknown, endpoint: string): Promise<void> {
  for (const alg of namesSchema.parse(value)) {
    const signer = await keyFor(alg)
    const { client_id } = await setting.createKeyClient({
      access: [{ resource: issuer, scope: 'read:agents' }],
      jwks: { keys: [signer.jwk] },
    })
    const client_assertion = await signAssertion(signer, { client_id, issuer, iat: app.clock.seconds() })
    const form = { client_assertion_type: ASSERTION_TYPE, client_assertion }
    assert.equal((await ask(endpoint, form)).status, 200, alg)
  }
}

/** A request that is fine at this endpoint if its client is authenticated. */
async function ask(endpoint: string, credentials: Record<string, string>, headers: Record<string, string> = {}) {
  const minted = { grant_type: 'client_credentials', scope: 'read:agents' }
  const form: Record<string, string> = endpoint === 'token' ? minted : { token: 'none' }
  return await postForm(`${issuer}/oauth/${endpoint}`, { ...form, ...credentials }, headers)
}

const keys = new Map<string, Promise<TestKey>>()

/** One key an algorithm; Ed25519 and EdDSA are two names of one (RFC 9864 section 2.2). */
async function keyFor(alg: string): Promise<TestKey> {
  const made =
    keys.get(alg) ?? generateKey(z.enum(['ES256', 'EdDSA', 'PS256', 'RS256']).parse(alg.replace('Ed25519', 'EdDSA')))
  keys.set(alg, made)
  return { ...(await made), alg }
}

/** Public members only, named by thumbprint (RFC 7517 section 4, RFC 7638). */
async function assertPublicKey(published: Record<string, string>): Promise<void> {
  const { kid, use, alg, ...material } = published
  const members: Readonly<Record<string, readonly string[]>> = {
    EC: ['crv', 'kty', 'x', 'y'],
    OKP: ['crv', 'kty', 'x'],
    RSA: ['e', 'kty', 'n'],
  }
  assert.deepEqual(Object.keys(material).toSorted(), members[published.kty ?? ''])
  assert.equal(use, 'sig')
  assert.match(alg ?? '', /^(ES256|EdDSA|PS256|RS256)$/)
  const jwk: JWK = material
  assert.equal(kid, await calculateJwkThumbprint(jwk))
}
