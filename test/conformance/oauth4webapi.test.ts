import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as oauth from 'oauth4webapi'
import { generateKey } from '../support/dpop.ts'
import { get } from './http.ts'
import { listen } from './listen.ts'
import { callWithProof, mint, tokenOf } from './minting.ts'
import { startSetting } from './setting.ts'

const INSECURE = { [oauth.allowInsecureRequests]: true }
const APIS = [
  { resource: 'https://api.example.com/es256', members: {} },
  { resource: 'https://api.example.com/eddsa', members: { signing_alg: 'EdDSA' } },
  { resource: 'https://api.example.com/ps256', members: { signing_alg: 'PS256' } },
  { resource: 'https://api.example.com/rs256', members: { signing_alg: 'RS256' } },
  { resource: 'https://api.example.com/draft', members: { token_profile: 'draft' } },
]
const ACCESS = APIS.map(({ resource }) => ({ resource, scope: 'repo:write' }))
const [ES256] = ACCESS

const setting = await startSetting()
for (const { resource, members } of APIS) {
  await setting.createResource({ resource, scopes: [{ name: 'repo:write' }], ...members })
}
const own = { resource: setting.issuer, scope: 'generate:intent-token register:intent' }
const app = await setting.createKeyClient({ access: [own, ...ACCESS] })
const agent = await setting.registerAgent(app, {
  agent_id: 'patcher',
  grant: { access: ACCESS },
  key: await generateKey(),
})
const server = await discover(setting.issuer)
const api = await listen(async (request, response) => {
  const audience = `https://api.example.com${request.url}`
  const [status, body] = await validate(server, request, audience)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})

for (const algorithm of ['oauth2', 'oidc'] as const) {
  test(`oauth4webapi reads the server metadata by ${algorithm} discovery (RFC 8414 section 3)`, async () => {
    const { issuer } = setting
    const found = await discover(issuer, algorithm)

    assert.equal(found.issuer, issuer)
    assert.equal(found.token_endpoint, `${issuer}/oauth/token`)
    assert.equal(found.jwks_uri, `${issuer}/.well-known/jwks.json`)
  })
}

test('oauth4webapi gets a client_credentials token by private_key_jwt (RFC 7523, RFC 9449 section 5)', async () => {
  const client = { client_id: app.client_id }
  const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
  const parameters = { scope: 'generate:intent-token', resource: setting.issuer }
  const method = oauth.PrivateKeyJwt(app.key.privateKey)

  const response = await oauth.clientCredentialsGrantRequest(server, client, method, parameters, {
    DPoP,
    ...INSECURE,
  })
  const answer = await oauth.processClientCredentialsResponse(server, client, response)

  assert.equal(answer.token_type, 'dpop')
  assert.equal(decodeJwt(answer.access_token).sub, app.client_id)
})

for (const { resource, members } of APIS.filter(({ members }) => !('token_profile' in members))) {
  const alg = members.signing_alg ?? 'ES256'
  test(`a resource server on oauth4webapi accepts an intent token signed with ${alg} (RFC 9068, RFC 9449 section 7)`, async () => {
    const token = tokenOf(await mint(setting, app, agent, { resource, scope: 'repo:write' }))

    const answer = await callWithProof(setting, `${api}${new URL(resource).pathname}`, token, agent)

    assert.equal(decodeProtectedHeader(token).alg, alg)
    assert.deepEqual([answer.status, answer.body], [200, decodeJwt(token)])
  })
}

test('a bound intent token sent as Bearer, or with the proof of another key, is refused there (RFC 9449 section 7.2)', async () => {
  const url = `${api}/es256`
  const token = tokenOf(await mint(setting, app, agent, { resource: ES256?.resource ?? '', scope: 'repo:write' }))

  const bearer = await get(url, { authorization: `Bearer ${token}` })
  const otherKey = await callWithProof(setting, url, token, { ...agent, key: await generateKey() })
  const good = await callWithProof(setting, url, token, agent)

  assert.deepEqual([bearer.status, otherKey.status, good.status], [401, 401, 200])
})

test('a token for one API is refused by another (RFC 9068 section 4)', async () => {
  const token = tokenOf(await mint(setting, app, agent, { resource: ES256?.resource ?? '', scope: 'repo:write' }))
  const answer = await callWithProof(setting, `${api}/ps256`, token, agent)
  assert.deepEqual(answer, {
    ...answer,
    status: 401,
    body: { refused: 'unexpected JWT "aud" (audience) claim value' },
  })
})

test('a draft token is not for stock resource servers, which is why interop is the default (protocol.md section 7)', async () => {
  const resource = 'https://api.example.com/draft'
  const token = tokenOf(await mint(setting, app, agent, { resource, scope: 'repo:write' }))
  const answer = await callWithProof(setting, `${api}/draft`, token, agent)
  assert.equal(answer.status, 401)
})

test("oauth4webapi reads the metadata of the server's own two resources (RFC 9728 section 3)", async () => {
  const { issuer } = setting
  for (const resource of [issuer, `${issuer}/admin`]) {
    const response = await oauth.resourceDiscoveryRequest(new URL(resource), INSECURE)
    const found = await oauth.processResourceDiscoveryResponse(new URL(resource), response)

    assert.equal(found.resource, resource)
    assert.deepEqual(found.authorization_servers, [issuer])
    assert.deepEqual(found.bearer_methods_supported, ['header'])
  }
})

test('oauth4webapi introspects and revokes (RFC 7662, RFC 7009)', async () => {
  const client = { client_id: app.client_id }
  const method = oauth.PrivateKeyJwt(app.key.privateKey)
  const token = tokenOf(await mint(setting, app, agent, { resource: ES256?.resource ?? '', scope: 'repo:write' }))
  async function introspect() {
    const response = await oauth.introspectionRequest(server, client, method, token, INSECURE)
    return await oauth.processIntrospectionResponse(server, client, response)
  }

  const living = await introspect()
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, method, token, INSECURE))
  const revoked = await introspect()

  assert.deepEqual([living.active, living.cnf, revoked], [true, { jkt: agent.key.jkt }, { active: false }])
})

test('oauth4webapi reads and verifies a signed introspection answer, also for a dead token (RFC 9701)', async () => {
  const client = { client_id: app.client_id }
  const method = oauth.PrivateKeyJwt(app.key.privateKey)
  const token = tokenOf(await mint(setting, app, agent, { resource: ES256?.resource ?? '', scope: 'repo:write' }))
  async function introspect() {
    const options = { requestJwtResponse: true, ...INSECURE }
    const response = await oauth.introspectionRequest(server, client, method, token, options)
    const answer = await oauth.processIntrospectionResponse(server, client, response)
    await oauth.validateApplicationLevelSignature(server, response, INSECURE)
    return answer
  }

  const living = await introspect()
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, method, token, INSECURE))

  assert.deepEqual([living.active, living.cnf], [true, { jkt: agent.key.jkt }])
  assert.deepEqual(await introspect(), { active: false })
})

async function discover(issuer: string, algorithm: 'oauth2' | 'oidc' = 'oauth2'): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer)
  return await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm, ...INSECURE }))
}

/** A resource server of a few lines: everything it knows of tokens is oauth4webapi's. */
async function validate(
  server: oauth.AuthorizationServer,
  { method = 'GET', url = '/', headers }: IncomingMessage,
  audience: string,
): Promise<readonly [number, unknown]> {
  const sent = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string' && name !== 'connection') sent.set(name, value)
  }
  try {
    const request = new Request(`http://${headers.host}${url}`, { method, headers: sent })
    return [200, await oauth.validateJwtAccessToken(server, request, audience, INSECURE)]
  } catch (error) {
    return [401, { refused: error instanceof Error ? error.message : 'unknown' }]
  }
}
