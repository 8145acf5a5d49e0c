import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKey } from '../support/dpop.ts'
import { type Answer, postForm, postJson } from './http.ts'
import { mint, tokenOf } from './minting.ts'
import { assertionOf, clientToken, proofHeader, startSetting } from './setting.ts'

const API = 'https://api.example.com/patches'
const ACCESS = [{ resource: API, scope: 'repo:write' }]
const REALM = 'Bearer realm="remit"'
const BAD_TOKEN = `${REALM}, error="invalid_token"`

const setting = await startSetting()
const { app, issuer } = setting
await setting.createResource({ resource: API, scopes: [{ name: 'repo:write' }] })
const own = { resource: issuer, scope: 'generate:intent-token register:intent' }
const client = await setting.createKeyClient({ access: [own, ...ACCESS] })
const agent = await setting.registerAgent(client, {
  agent_id: 'patcher',
  grant: { access: ACCESS },
  key: await generateKey(),
})
const secret = await setting.createSecretClient({
  access: [{ resource: issuer, scope: 'read:agents' }],
  token_endpoint_auth_method: 'client_secret_basic',
})
const right = basic(secret.client_id, secret.client_secret)
const wrong = basic(secret.client_id, 'wrong')

for (const path of ['token', 'introspect', 'revoke']) {
  test(`/oauth/${path} sends WWW-Authenticate only with a 401 to a request that had Authorization (RFC 6749 section 5.2)`, async () => {
    const url = `${issuer}/oauth/${path}`
    const form = { grant_type: 'client_credentials', token: 'x', scope: 'read:agents' }
    const posted = { ...form, client_id: secret.client_id, client_secret: 'wrong' }

    assertRefused(await postForm(url, form, wrong), 401, 'invalid_client', 'Basic realm="remit"')
    assertRefused(await postForm(url, posted), 401, 'invalid_client', null)
    assertRefused(await postForm(url, form), 401, 'invalid_client', null)
    assertRefused(await postForm(url, posted, right), 400, 'invalid_request', null)
  })
}

test('a grant that is refused is 400 without WWW-Authenticate, with credentials in the header too (RFC 6749 section 5.2)', async () => {
  const url = `${issuer}/oauth/token`
  const form = { grant_type: 'client_credentials', resource: issuer }
  assertRefused(await postForm(url, { ...form, scope: 'register:intent' }, right), 400, 'invalid_scope', null)
  assertRefused(await postForm(url, form, right), 400, 'invalid_scope', null)
  assertRefused(await postForm(url, { ...form, grant_type: 'password' }, right), 400, 'unsupported_grant_type', null)
  assertRefused(await mint(setting, client, { ...agent, agent_id: 'nobody' }, ASKED), 400, 'invalid_grant', null)
  const stranger = { ...agent, key: await generateKey() }
  assertRefused(await mint(setting, client, stranger, ASKED), 400, 'invalid_dpop_proof', null)
})

const ASKED = { resource: API, scope: 'repo:write' }
const REQUEST = {
  grant_type: 'agent_checksum',
  agent_id: 'patcher',
  computed_checksum: agent.checksum,
  requested_scopes: ['repo:write'],
  audience: API,
}

test('/intent/token sends WWW-Authenticate with every 401 and with nothing else (protocol.md section 10)', async () => {
  const url = `${issuer}/intent/token`
  const bearer = await clientToken(app, client, { scope: 'generate:intent-token', resource: issuer })
  const bound = await clientToken(app, client, { scope: 'generate:intent-token', resource: issuer }, true)
  const narrow = await clientToken(app, client, { scope: 'register:intent', resource: issuer })
  const intent = tokenOf(await mint(setting, client, agent, ASKED))
  const send = (headers: Record<string, string>, change: object = {}) =>
    postJson(url, { ...REQUEST, ...change }, headers)
  const good = { authorization: `Bearer ${bearer}` }

  assertRefused(await send({}), 401, 'invalid_client', REALM)
  assertRefused(await send({ authorization: 'Bearer x' }), 401, 'invalid_token', BAD_TOKEN)
  assertRefused(await send({ authorization: `Bearer ${narrow}` }), 401, 'invalid_token', BAD_TOKEN)
  assertRefused(await send({ authorization: `Bearer ${bound}` }), 401, 'invalid_token', BAD_TOKEN)
  assertRefused(await send({ authorization: `Bearer ${intent}` }), 401, 'invalid_token', BAD_TOKEN)
  assertRefused(await send({ authorization: `DPoP ${bound}` }), 401, 'invalid_token', BAD_TOKEN)
  assertRefused(await send(good, { agent_id: 'nobody' }), 401, 'unknown_agent', REALM)
  assertRefused(await send(good, { computed_checksum: '0'.repeat(64) }), 401, 'agent_checksum_mismatch', REALM)
  assertRefused(await send(good), 400, 'invalid_dpop_proof', null)
  assertRefused(await send(good, { ...(await assertionOf(app, client)) }), 400, 'invalid_request', null)
  const step = { workflow_id: 'none', workflow_step: 'none' }
  const dpop = await proofHeader(app, agent.key, url)
  assertRefused(await send({ ...good, ...dpop }, step), 403, 'workflow_step_unauthorized', null)
})

test('both token endpoints send a DPoP-Nonce with every answer, refusals too (RFC 9449 section 8.2)', async () => {
  const answers = [
    await mint(setting, client, agent, ASKED),
    await mint(setting, client, { ...agent, agent_id: 'nobody' }, ASKED),
    await postForm(`${issuer}/oauth/token`, {}),
    await postForm(`${issuer}/oauth/token`, { grant_type: 'client_credentials', scope: 'read:agents' }, wrong),
    await postJson(`${issuer}/intent/token`, REQUEST),
    await postJson(`${issuer}/intent/token`, []),
  ]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 400, 400, 401, 401, 400],
  )
  for (const { headers } of answers) assert.match(headers.get('dpop-nonce') ?? '', /^[\x21\x23-\x5b\x5d-\x7e]+$/)
})

test("the server's own APIs challenge as protected resources and name their metadata (RFC 6750 section 3, RFC 9728 section 5.1)", async () => {
  const metadata = `resource_metadata="${issuer}/.well-known/oauth-protected-resource"`
  const url = `${issuer}/intent/register/agent`
  const without = await postJson(url, {})
  const narrow = await clientToken(app, client, { scope: 'generate:intent-token', resource: issuer })
  const lacking = await postJson(url, {}, { authorization: `Bearer ${narrow}` })
  const unbound = await clientToken(app, client, { scope: 'register:intent', resource: issuer }, true)
  const asBearer = await postJson(url, {}, { authorization: `Bearer ${unbound}` })

  const none = challengeOf(without)
  const scope = challengeOf(lacking)
  const bound = challengeOf(asBearer)
  assert.deepEqual([without.status, lacking.status, asBearer.status], [401, 403, 401])
  for (const value of [none, scope, bound]) assert(value.includes(metadata))
  assert(!none.includes('error='))
  assert.match(scope, /^Bearer error="insufficient_scope".*scope="register:intent"/)
  assert.match(bound, /error="invalid_token"/)
})

function challengeOf({ headers }: Answer): string {
  return headers.get('www-authenticate') ?? ''
}

function basic(client_id: string, client_secret: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}` }
}

/** Status, code, header and form of an OAuth refusal: JSON that is not stored (RFC 6749 sections 5.1 and 5.2). */
function assertRefused(answer: Answer, status: number, code: string, challenge: string | null): void {
  const { headers, body } = answer
  assert.deepEqual([answer.status, errorOf(body), headers.get('www-authenticate')], [status, code, challenge])
  assert.match(headers.get('content-type') ?? '', /^application\/json/)
  assert.deepEqual([headers.get('cache-control'), headers.get('pragma')], ['no-store', 'no-cache'])
}

function errorOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
}
