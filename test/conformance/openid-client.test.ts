import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, importJWK } from 'jose'
import * as client from 'openid-client'
import { z } from 'zod'
import { generateKey, type TestKey } from '../support/dpop.ts'
import { AGENT_GRANT, assertionOf, type Setting, startSetting } from './setting.ts'

const API = 'https://api.example.com/patches'
const ACCESS = [{ resource: API, scope: 'repo:read repo:write' }]

const setting = await startSetting()
await setting.createResource({ resource: API, scopes: [{ name: 'repo:read' }, { name: 'repo:write' }] })
const own = { resource: setting.issuer, scope: 'generate:intent-token register:intent register:workflow' }
const app = await setting.createKeyClient({ access: [own, ...ACCESS] })
const agent = await setting.registerAgent(app, {
  agent_id: 'patcher',
  grant: { access: ACCESS, outside_workflow: true },
  key: await generateKey(),
})

function agentRequest() {
  return { agent_id: agent.agent_id, computed_checksum: agent.checksum, scope: 'repo:write', resource: API }
}

for (const grantType of [AGENT_GRANT, 'agent_checksum']) {
  test(`openid-client gets an intent token by genericGrantRequest with ${grantType} (protocol.md section 3)`, async () => {
    const config = await discover(setting, app.client_id, client.PrivateKeyJwt(app.key.privateKey))
    const DPoP = client.getDPoPHandle(config, await keyPair(agent.key))

    const answer = await client.genericGrantRequest(config, grantType, agentRequest(), { DPoP })

    assert.equal(answer.token_type, 'dpop')
    assert.equal(answer.expires_in, 300)
    assert.equal(answer.scope, 'repo:write')
    const { sub, aud, cnf, client_id } = decodeJwt(answer.access_token)
    assert.deepEqual(
      { sub, aud, cnf, client_id },
      { sub: `agent:${app.client_id}:patcher`, aud: API, cnf: { jkt: agent.key.jkt }, client_id: app.client_id },
    )
  })
}

for (const alg of ['EdDSA', 'PS256'] as const) {
  test(`openid-client proves possession of an agent's ${alg} key (RFC 9449 section 5)`, async () => {
    const key = await generateKey(alg)
    const agent_id = `patcher-${alg}`
    const { checksum } = await setting.registerAgent(app, { agent_id, grant: { access: ACCESS }, key })
    const config = await discover(setting, app.client_id, client.PrivateKeyJwt(app.key.privateKey))
    const DPoP = client.getDPoPHandle(config, await keyPair(key))
    const request = { ...agentRequest(), agent_id, computed_checksum: checksum }

    const { access_token } = await client.genericGrantRequest(config, AGENT_GRANT, request, { DPoP })

    assert.deepEqual(decodeJwt(access_token).cnf, { jkt: key.jkt })
  })
}

test('openid-client asks for a workflow step by authorization_details and gets it as granted (RFC 9396 section 7)', async () => {
  const steps = ['scan', 'patch'].map(step_id => ({ step_id, agent_id: 'patcher' }))
  await setting.registerWorkflow(app, { workflow_id: 'auto-patch', steps })
  const config = await discover(setting, app.client_id, client.PrivateKeyJwt(app.key.privateKey))
  const DPoP = client.getDPoPHandle(config, await keyPair(agent.key))
  const step = { type: 'urn:remit:workflow-step', workflow_id: 'auto-patch' }
  const ask = (detail: object) => ({ ...agentRequest(), authorization_details: JSON.stringify([detail]) })
  const scan = { ...step, workflow_step: 'scan' }
  const { execution_id } = await client.genericGrantRequest(config, AGENT_GRANT, ask(scan), { DPoP })
  const details = [{ ...step, workflow_step: 'patch', execution_id }]
  const request = { ...ask({ ...details[0] }), delegation_context: JSON.stringify({ completed_steps: ['scan'] }) }

  const answer = await client.genericGrantRequest(config, AGENT_GRANT, request, { DPoP })
  const introspected = await client.tokenIntrospection(config, answer.access_token)

  assert.deepEqual(answer.authorization_details, details)
  assert.deepEqual(introspected.authorization_details, details)
  assert.deepEqual(decodeJwt(answer.access_token).authorization_details, details)
})

test('a client that must send a nonce gets one and repeats by itself with a new assertion (RFC 9449 section 8)', async () => {
  const strict = await setting.createKeyClient({
    access: [{ resource: setting.issuer, scope: 'generate:intent-token' }, ...ACCESS],
    policies: { dpop_nonce: 'required' },
  })
  const registrar = await setting.createKeyClient({
    access: [{ resource: setting.issuer, scope: 'register:intent' }],
    registers_for: [strict.client_id],
  })
  const key = await generateKey()
  const body = { agent_id: 'patcher', grant: { access: ACCESS }, key }
  const bound = await setting.registerAgent(strict, body, registrar)
  const config = await discover(setting, strict.client_id, client.PrivateKeyJwt(strict.key.privateKey))
  const seen = record(config)
  const DPoP = client.getDPoPHandle(config, await keyPair(bound.key))
  const request = { ...agentRequest(), computed_checksum: bound.checksum }

  const answer = await client.genericGrantRequest(config, AGENT_GRANT, request, { DPoP })

  assert.deepEqual(
    seen.map(({ status, error }) => [status, error]),
    [
      [400, 'use_dpop_nonce'],
      [200, undefined],
    ],
  )
  assert.equal(seen[0]?.wwwAuthenticate, null)
  assert.match(seen[0]?.nonce ?? '', /^[\x21\x23-\x5b\x5d-\x7e]+$/)
  assert.notEqual(seen[0]?.assertionJti, seen[1]?.assertionJti)
  assert.deepEqual(decodeJwt(answer.access_token).cnf, { jkt: bound.key.jkt })
})

test('openid-client gets a client_credentials token by each of the three methods (RFC 6749 section 2.3, RFC 7523)', async () => {
  const access = [{ resource: setting.issuer, scope: 'read:agents' }]
  const basic = await setting.createSecretClient({ access, token_endpoint_auth_method: 'client_secret_basic' })
  const post = await setting.createSecretClient({ access, token_endpoint_auth_method: 'client_secret_post' })
  const byKey = await setting.createKeyClient({ access })
  const methods = [
    { client_id: basic.client_id, method: client.ClientSecretBasic(basic.client_secret) },
    { client_id: post.client_id, method: client.ClientSecretPost(post.client_secret) },
    { client_id: byKey.client_id, method: client.PrivateKeyJwt(byKey.key.privateKey) },
  ]
  for (const { client_id, method } of methods) {
    const config = await discover(setting, client_id, method)

    const answer = await client.clientCredentialsGrant(config, { scope: 'read:agents', resource: setting.issuer })

    assert.equal(answer.token_type, 'bearer')
    assert.equal(decodeJwt(answer.access_token).sub, client_id)
  }
})

test('a wrong secret is an invalid_client that openid-client reads from the body or the header (RFC 6749 section 5.2)', async () => {
  const access = [{ resource: setting.issuer, scope: 'read:agents' }]
  const parameters = { scope: 'read:agents', resource: setting.issuer }
  const post = await setting.createSecretClient({ access, token_endpoint_auth_method: 'client_secret_post' })
  const byBody = await discover(setting, post.client_id, client.ClientSecretPost('wrong'))
  await assert.rejects(client.clientCredentialsGrant(byBody, parameters), (error: unknown) => {
    assert(error instanceof client.ResponseBodyError)
    assert.deepEqual([error.status, error.error], [401, 'invalid_client'])
    return true
  })
  const basic = await setting.createSecretClient({ access, token_endpoint_auth_method: 'client_secret_basic' })
  const byHeader = await discover(setting, basic.client_id, client.ClientSecretBasic('wrong'))
  await assert.rejects(client.clientCredentialsGrant(byHeader, parameters), (error: unknown) => {
    assert(error instanceof client.WWWAuthenticateChallengeError)
    assert.deepEqual([error.status, error.cause[0]?.scheme], [401, 'basic'])
    return true
  })
})

test("a refused intent token reaches openid-client as a stock code with A-JWT's beside it (protocol.md section 10)", async () => {
  const config = await discover(setting, app.client_id, client.PrivateKeyJwt(app.key.privateKey))
  const DPoP = client.getDPoPHandle(config, await keyPair(agent.key))
  const changed = { ...agentRequest(), computed_checksum: `sha256:${'0'.repeat(64)}` }

  await assert.rejects(client.genericGrantRequest(config, AGENT_GRANT, changed, { DPoP }), (error: unknown) => {
    assert(error instanceof client.ResponseBodyError)
    assert.deepEqual([error.status, error.error], [400, 'invalid_grant'])
    assert.equal(error.cause.ajwt_error, 'agent_checksum_mismatch')
    return true
  })
})

test('openid-client introspects its token, revokes it and finds it inactive (RFC 7662, RFC 7009)', async () => {
  const config = await discover(setting, app.client_id, client.PrivateKeyJwt(app.key.privateKey))
  const DPoP = client.getDPoPHandle(config, await keyPair(agent.key))
  const { access_token } = await client.genericGrantRequest(config, AGENT_GRANT, agentRequest(), { DPoP })

  const living = await client.tokenIntrospection(config, access_token)
  await client.tokenRevocation(config, access_token)
  const revoked = await client.tokenIntrospection(config, access_token)

  const chain = [`agent:${app.client_id}:patcher`]
  assert.deepEqual(living, { active: true, token_type: 'DPoP', ...decodeJwt(access_token), chain })
  assert.deepEqual(revoked, { active: false })
})

test('one assertion is taken once, also when a stock client sends it twice (RFC 7523 section 3)', async () => {
  const { client_assertion, client_assertion_type } = await assertionOf(setting.app, app)
  const config = await discover(setting, app.client_id, (_server, _client, body) => {
    body.set('client_assertion', client_assertion)
    body.set('client_assertion_type', client_assertion_type)
  })
  const parameters = { scope: 'register:intent', resource: setting.issuer }
  await client.clientCredentialsGrant(config, parameters)
  await assert.rejects(client.clientCredentialsGrant(config, parameters), { status: 401, error: 'invalid_client' })
})

async function discover(setting: Setting, client_id: string, method: client.ClientAuth): Promise<client.Configuration> {
  const options: client.DiscoveryRequestOptions = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }
  return await client.discovery(new URL(setting.issuer), client_id, undefined, method, options)
}

async function keyPair({ jwk, alg, privateKey }: TestKey): Promise<client.CryptoKeyPair> {
  const publicKey = await importJWK(jwk, alg, { extractable: true })
  assert(publicKey instanceof CryptoKey)
  return { privateKey, publicKey }
}

const bodySchema = z.looseObject({ error: z.string().optional() })

/** What went to the token endpoint and what came back. */
function record(config: client.Configuration) {
  const seen: {
    status: number
    error: unknown
    nonce: string | null
    wwwAuthenticate: string | null
    assertionJti: unknown
  }[] = []
  config[client.customFetch] = async (url, options) => {
    const response = await fetch(url, { ...options, body: options.body ?? null })
    const sent = new URLSearchParams(String(options.body))
    const { error } = bodySchema.parse(await response.clone().json())
    seen.push({
      status: response.status,
      error,
      nonce: response.headers.get('dpop-nonce'),
      wwwAuthenticate: response.headers.get('www-authenticate'),
      assertionJti: decodeJwt(sent.get('client_assertion') ?? '').jti,
    })
    return response
  }
  return seen
}
