import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policiesSchema } from '../../src/protocol/client.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { transaction } from '../../src/server/context.ts'
import { bearerClientVerifier } from '../../src/server/http/bearer-auth.ts'
import { insertRevocations } from '../../src/server/store/revocations.ts'
import { startTestApp } from '../support/app.ts'
import { asWebKey } from '../support/as-web-key.ts'
import { generateKey, signAssertion, signJws, signProof } from '../support/dpop.ts'
import { accessToken, boundHeaders, givenAdmin, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { givenTrustedIssuer } from '../token/foreign.ts'

const app = await startTestApp()
const admin = await givenAdmin(app, { grant_types: [CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT] })
const url = `${app.adminUrl}/admin/v1/clients`
const adminResource = `${app.issuer}/admin`
const api = 'https://api.example.com'
await givenResource(app, { resource: api, scopes: [{ name: 'admin:clients' }] })
/** A person who administers by this client, and by the issuer's claims. */
const PERSON = 'user:corp:anna'
await givenTrustedIssuer(app, await generateKey(), {
  ...{ name: 'corp', purpose: 'operator', clients: [admin.client_id], claims: { tid: 'acme' } },
  access: [{ resource: adminResource, scope: 'admin:clients audit:read' }],
})

async function get(headers: Record<string, string>, target = url) {
  const response = await fetch(target, { headers })
  return { status: response.status, body: await jsonOf(response), challenge: response.headers.get('www-authenticate') }
}

async function adminToken(scope = 'admin:clients') {
  return await accessToken(app, admin, { resource: adminResource, scope })
}

const INTENT = {
  executed_by: 'a',
  delegation_chain: '0123456789abcdef',
  step_sequence_hash: '0123456789abcdef',
  state: 'none',
  chain_commitment: 'x',
  initiated_by: 'a',
}
const AGENT_PROOF = { agent_checksum: `sha256:${'0'.repeat(64)}`, registration_id: 'r', version: 1, key: 'none' }

/** An admin token of the administrator with other claims, signed with the server's own key. */
async function signedByUs(change: object): Promise<string> {
  const signer = await app.ctx.keys.signer('ES256')
  const now = app.clock.seconds()
  const claims = {
    iss: app.issuer,
    aud: adminResource,
    client_id: admin.client_id,
    sub: admin.client_id,
    sub_profile: 'client',
    iat: now,
    exp: now + 300,
    jti: 'forged',
    scope: 'admin:clients',
    cnf: { jkt: admin.dpopKey.jkt },
    ...change,
  }
  return await signJws({ alg: 'ES256', privateKey: asWebKey(signer.key) }, { typ: 'at+jwt', kid: signer.kid }, claims)
}

function metadata(path: string): string {
  return `${app.issuer}/.well-known/oauth-protected-resource${path}`
}

test('without a token: 401, a challenge without error, and where to learn more (RFC 6750 section 3, RFC 9728 section 5.1)', async () => {
  const { status, body, challenge } = await get({})
  assert.equal(status, 401)
  assert.equal(challenge, `DPoP algs="ES256 EdDSA Ed25519 PS256", resource_metadata="${metadata('/admin')}"`)
  const { request_id, ...rest } = body
  assert.match(String(request_id), /^[0-9a-f-]{36}$/)
  assert.deepEqual(rest, {
    type: `${app.issuer}/errors/invalid_token`,
    title: 'Unauthorized',
    status: 401,
    code: 'invalid_token',
    detail: 'An access token is required.',
  })
})

test('[attack 47] the scheme counts in any letter case (RFC 9110 section 11.1)', async () => {
  for (const scheme of ['DPoP', 'dpop', 'DPOP']) {
    const token = await adminToken()
    const headers = await boundHeaders(app, admin, token, { method: 'GET', url })
    assert.equal((await get({ ...headers, authorization: `${scheme} ${token}` })).status, 200, scheme)
  }
})

test('[attack 46] a bound token as Bearer, without proof or with another key: 401 invalid_token (RFC 9449 section 7.1)', async () => {
  const token = await adminToken()
  const proof = { htm: 'GET', htu: url, iat: app.clock.seconds(), accessToken: token }
  const attempts = {
    bearer: { authorization: `Bearer ${token}` },
    'bearer with proof': { authorization: `Bearer ${token}`, dpop: await signProof(admin.dpopKey, proof) },
    'no proof': { authorization: `DPoP ${token}` },
    'another key': { authorization: `DPoP ${token}`, dpop: await signProof(await generateKey(), proof) },
  }
  for (const [name, headers] of Object.entries(attempts)) {
    const { status, body, challenge } = await get(headers)
    assert.equal(status, 401, name)
    assert.equal(body.code, 'invalid_token', name)
    assert.match(challenge ?? '', /^DPoP error="invalid_token"/, name)
  }
})

test('[attack 33, 34, 35, 36] a proof for another request is 401 invalid_dpop_proof (RFC 9449 section 4.3)', async () => {
  const token = await adminToken()
  const other = await adminToken()
  const base = { htm: 'GET', htu: url, iat: app.clock.seconds(), accessToken: token }
  const { host } = new URL(url)
  const proofs = {
    'htm other': { ...base, htm: 'POST' },
    'htm lower case': { ...base, htm: 'get' },
    'htu path': { ...base, htu: `${url}/x` },
    'htu host': { ...base, htu: 'http://evil.example/admin/v1/clients' },
    'htu scheme': { ...base, htu: url.replace('http:', 'https:') },
    'htu userinfo': { ...base, htu: url.replace('//', '//user@') },
    'htu dots': { ...base, htu: `http://${host}/admin/v1/%2e%2e/v1/clients` },
    'htu slashes': { ...base, htu: `http://${host}//admin/v1/clients` },
    'htu trailing slash': { ...base, htu: `${url}/` },
    'htu backslash': { ...base, htu: `http://${host}\\admin/v1/clients` },
    'htu issuer': { ...base, htu: `${app.issuer}/admin/v1/clients` },
    'ath other': { ...base, accessToken: other },
    'iat old': { ...base, iat: base.iat - 61 },
    'iat ahead': { ...base, iat: base.iat + 11 },
  }
  for (const [name, input] of Object.entries(proofs)) {
    const { status, body } = await get({ authorization: `DPoP ${token}`, dpop: await signProof(admin.dpopKey, input) })
    assert.equal(status, 401, name)
    assert.equal(body.code, 'invalid_dpop_proof', name)
  }
  const { accessToken: _, ...noAth } = base
  const { status } = await get({ authorization: `DPoP ${token}`, dpop: await signProof(admin.dpopKey, noAth) })
  assert.equal(status, 401, 'ath missing')
})

test('[attack 35] letter case of scheme and host, query and fragment of htu do not count (RFC 9449 section 4.3)', async () => {
  const token = await adminToken()
  for (const htu of [url.replace('http:', 'HTTP:'), `${url}?x=1`, `${url}#f`]) {
    const dpop = await signProof(admin.dpopKey, { htm: 'GET', htu, iat: app.clock.seconds(), accessToken: token })
    assert.equal((await get({ authorization: `DPoP ${token}`, dpop })).status, 200, htu)
  }
})

test('[attack 38] a proof is taken once at our own APIs (RFC 9449 section 11.1)', async () => {
  const headers = await boundHeaders(app, admin, await adminToken(), { method: 'GET', url })
  assert.equal((await get(headers)).status, 200)
  const { status, body } = await get(headers)
  assert.equal(status, 401)
  assert.equal(body.code, 'invalid_dpop_proof')
})

test('[attack 17, 118] a token for another audience opens nothing here (protocol.md section 2)', async () => {
  const client = await givenClient(app, {
    access: [
      { resource: app.issuer, scope: 'read:agents' },
      { resource: api, scope: 'admin:clients' },
    ],
  })
  const targets = [
    { resource: app.issuer, scope: 'read:agents' },
    { resource: api, scope: 'admin:clients' },
  ]
  for (const target of targets) {
    const token = await accessToken(app, client, target)
    const { status, body } = await get(await boundHeaders(app, client, token, { method: 'GET', url }))
    assert.equal(status, 401, target.resource)
    assert.equal(body.code, 'invalid_token', target.resource)
  }
  const read = `${app.issuer}/intent/agents/${admin.client_id}`
  const headers = await boundHeaders(app, admin, await adminToken(), { method: 'GET', url: read })
  assert.equal((await get(headers, read)).status, 401)
})

test('[attack 118] a missing scope is 403, says which, claims the proof and is audited (RFC 6750 section 3.1)', async () => {
  const token = await adminToken('audit:read')
  const headers = await boundHeaders(app, admin, token, { method: 'GET', url })
  const { status, body, challenge } = await get(headers)
  assert.equal(status, 403)
  assert.equal(body.code, 'insufficient_scope')
  assert.match(challenge ?? '', /^DPoP error="insufficient_scope".*scope="admin:clients"/)
  const rows = await app.ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'actor', 'details'])
    .where('reason', '=', 'insufficient_scope')
    .execute()
  const details = { endpoint: 'GET /admin/v1/clients', caller: admin.client_id, acting_owner: 'user:local:otto' }
  assert.deepEqual(rows, [{ action: 'request', outcome: 'refused', actor: admin.client_id, details }])
  assert.equal((await get(headers)).status, 401)
})

test('[attack 118] [attack 130] a body that is refused before its route takes the proof and leaves one row (protocol.md section 3)', async () => {
  const token = await adminToken('admin:resources')
  const target = `${app.adminUrl}/admin/v1/resources`
  async function post(headers: Record<string, string>, body: string) {
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    return [response.status, (await jsonOf(response)).code]
  }
  const good = JSON.stringify({ resource: 'https://heard.example.com', scopes: [{ name: 'read' }] })
  for (const [body, reason] of [
    ['{"resource":', 'json_malformed'],
    ['{"resource":1}', 'request_schema'],
  ] as const) {
    await app.ctx.db.deleteFrom('audit_event').execute()
    const headers = await boundHeaders(app, admin, token, { method: 'POST', url: target })
    assert.deepEqual(await post(headers, body), [400, 'invalid_request'])
    assert.deepEqual(await post(headers, body), [401, 'invalid_dpop_proof'])
    assert.deepEqual(await post(headers, good), [401, 'invalid_dpop_proof'])
    const rows = await app.ctx.db.selectFrom('audit_event').select(['action', 'outcome', 'reason', 'details']).execute()
    const details = { endpoint: 'POST /admin/v1/resources', caller: admin.client_id, acting_owner: 'user:local:otto' }
    const unheard = rows.filter(row => row.reason === reason)
    assert.deepEqual(unheard, [{ action: 'request', outcome: 'refused', reason, details }])
    const all = rows.map(row => `${row.action} ${row.outcome} ${row.reason}`).sort()
    const replayed = ['request refused proof_replayed', 'resource.create refused proof_replayed']
    assert.deepEqual(all, [`request refused ${reason}`, ...replayed].sort())
  }
})

test('[attack 46, 118] an unbound admin token needs the policy allow_bearer_admin (protocol.md section 3)', async () => {
  const target = { resource: adminResource, scope: 'admin:clients', bearer: true }
  await assert.rejects(accessToken(app, admin, target), /No token was issued/)
  const lax = await givenAdmin(app, { policies: { allow_bearer_admin: true } })
  const token = await accessToken(app, lax, target)
  assert.equal((await get({ authorization: `Bearer ${token}` })).status, 200)
  await app.ctx.db
    .updateTable('client')
    .set({ policies: JSON.stringify(policiesSchema.parse({})) })
    .where('client_id', '=', lax.client_id)
    .execute()
  assert.equal((await get({ authorization: `Bearer ${token}` })).status, 401)
})

test('[attack 28] tokens of a revoked client die at our own APIs at once (protocol.md section 9)', async () => {
  const client = await givenAdmin(app)
  const token = await accessToken(app, client, { resource: adminResource, scope: 'admin:clients' })
  assert.equal((await get(await boundHeaders(app, client, token, { method: 'GET', url }))).status, 200)
  await app.ctx.db.updateTable('client').set({ status: 'revoked' }).where('client_id', '=', client.client_id).execute()
  assert.equal((await get(await boundHeaders(app, client, token, { method: 'GET', url }))).status, 401)
})

test('a token revoked by RFC 7009 opens nothing any more (protocol.md section 9)', async () => {
  const token = await adminToken()
  const body = new URLSearchParams({
    token,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await signAssertion(admin.key, {
      client_id: admin.client_id,
      issuer: app.issuer,
      iat: app.clock.seconds(),
    }),
  })
  assert.equal((await fetch(`${app.issuer}/oauth/revoke`, { method: 'POST', body })).status, 200)
  assert.equal((await get(await boundHeaders(app, admin, token, { method: 'GET', url }))).status, 401)
})

test('[attack 118] a token that speaks for an agent opens neither of our APIs, even with our audience', async () => {
  const variants: [number, object][] = [
    [200, {}],
    [401, { act: { sub: `agent:${admin.client_id}:a` } }],
    [401, { intent: INTENT }],
    [401, { agent_proof: AGENT_PROOF }],
    [200, { sub: PERSON, sub_profile: 'user' }],
    [401, { sub: 'user:other:anna', sub_profile: 'user' }],
    [401, { sub: `agent:${admin.client_id}:a`, sub_profile: 'ai_agent' }],
    [401, { sub: 'another-client' }],
    [401, { aud: [adminResource, api] }],
    [401, { exp: app.clock.seconds() + 901 }],
    [401, { iss: `${app.issuer}/` }],
  ]
  for (const [status, change] of variants) {
    const token = await signedByUs(change)
    const answer = await get(await boundHeaders(app, admin, token, { method: 'GET', url }))
    assert.equal(answer.status, status, JSON.stringify(change))
  }
})

test('a Bearer client token authenticates its client at /intent/token; a bound one is 401 (protocol.md section 6)', async () => {
  const client = await givenClient(app, { policies: { agent_proof: 'optional', default_grant: 'client' } })
  const agent = await givenAgent(app, client, 'worker')
  const request = {
    grant_type: AGENT_GRANT,
    agent_id: 'worker',
    computed_checksum: agent.checksum,
    requested_scopes: ['x'],
    audience: api,
  }
  async function mint(token: string) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: JSON.stringify(request) }
    const response = await fetch(`${app.issuer}/intent/token`, init)
    return {
      status: response.status,
      error: (await jsonOf(response)).error,
      challenge: response.headers.get('www-authenticate'),
    }
  }
  const target = { resource: app.issuer, scope: 'generate:intent-token' }
  const bearer = await accessToken(app, client, { ...target, bearer: true })
  assert.deepEqual(await mint(bearer), { status: 400, error: 'invalid_target', challenge: null })
  const invalid = { status: 401, error: 'invalid_token', challenge: 'Bearer realm="remit", error="invalid_token"' }
  assert.deepEqual(await mint(await accessToken(app, client, target)), invalid)
  const wrongScope = await accessToken(app, client, { resource: app.issuer, scope: 'read:agents', bearer: true })
  assert.deepEqual(await mint(wrongScope), invalid)
  assert.deepEqual(await mint(`${bearer}x`), invalid)
})

test('every revocation that covers a token closes our own APIs to it (protocol.md section 9)', async () => {
  const token = await signedByUs({ jti: 'covered', sub: PERSON, sub_profile: 'user' })
  const { kid } = await app.ctx.keys.signer('ES256')
  const status = async () => (await get(await boundHeaders(app, admin, token, { method: 'GET', url }))).status
  for (const entry of [
    { kind: 'token', id: 'covered' },
    { kind: 'client', id: admin.client_id },
    { kind: 'initiator', id: PERSON },
    { kind: 'key', id: admin.dpopKey.jkt },
    { kind: 'key', id: kid },
  ] as const) {
    const act = { reason: 'test', revoked_by: 'test', now: app.ctx.now() }
    await transaction(app.ctx, tx => insertRevocations(tx, [entry], act))
    assert.equal(await status(), 401, `${entry.kind} ${entry.id}`)
    await app.ctx.db.deleteFrom('revocation').execute()
    assert.equal(await status(), 200)
  }
})

test('who acts with a token of a person is that person (protocol.md section 2)', async () => {
  const token = await signedByUs({ sub: PERSON, sub_profile: 'user', scope: 'audit:read' })
  await app.ctx.db.deleteFrom('audit_event').execute()
  assert.equal((await get(await boundHeaders(app, admin, token, { method: 'GET', url }))).status, 403)
  const rows = await app.ctx.db.selectFrom('audit_event').select('details').execute()
  const details = { endpoint: 'GET /admin/v1/clients', caller: admin.client_id, acting_owner: PERSON }
  assert.deepEqual(rows, [{ details }])
})

test('[attack 36, 41] the public API takes a bound token for its own URL; a jti is taken per key', async () => {
  const jti = 'one-jti-for-two-keys'
  for (const client of [await givenClient(app), await givenClient(app)]) {
    const read = `${app.issuer}/intent/agents/${client.client_id}`
    const token = await accessToken(app, client, { resource: app.issuer, scope: 'read:agents' })
    const proof = { htm: 'GET', iat: app.clock.seconds(), accessToken: token, jti }
    const send = async (htu: string) =>
      await get({ authorization: `DPoP ${token}`, dpop: await signProof(client.dpopKey, { ...proof, htu }) }, read)
    assert.equal((await send(`${app.adminUrl}/intent/agents/${client.client_id}`)).status, 401)
    assert.equal((await send(read)).status, 200)
  }
})

test('a token of a client that was revoked by entry stands for it no more at /intent/token (protocol.md section 6)', async () => {
  const verify = bearerClientVerifier(app.ctx)
  const { client_id } = await givenClient(app)
  const change = { aud: app.issuer, scope: 'generate:intent-token', cnf: undefined, client_id, sub: client_id }
  const token = await signedByUs(change)
  assert.deepEqual(await verify(token), { client_id })
  const refused: object[] = [
    { sub: 'user:local:anna', sub_profile: 'user' },
    { act: { sub: 'agent:x:a' } },
    { scope: 'read:agents' },
    { aud: adminResource },
  ]
  for (const other of refused) await assert.rejects(verify(await signedByUs({ ...change, ...other })))
  const act = { reason: 'test', revoked_by: 'test', now: app.ctx.now() }
  const entry = { kind: 'client', id: client_id } as const
  await transaction(app.ctx, tx => insertRevocations(tx, [entry], act))
  await assert.rejects(verify(token))
  await app.ctx.db.deleteFrom('revocation').execute()
})
