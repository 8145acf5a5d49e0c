import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import { generateKey } from '../support/dpop.ts'
import { commitment, hash16 } from './hashes.ts'
import { type Answer, get, postForm } from './http.ts'
import { mint, tokenOf } from './minting.ts'
import { type Agent, assertionOf, clientToken, type KeyClient, startSetting } from './setting.ts'

const API = 'https://api.example.com/interop'
const DRAFT = 'https://api.example.com/draft'
const ACCESS = [API, DRAFT].map(resource => ({ resource, scope: 'repo:read repo:write' }))
const keysSchema = z.object({ keys: z.array(z.looseObject({ alg: z.string(), kid: z.string() })) })
const scopes = [{ name: 'repo:read' }, { name: 'repo:write' }]

const setting = await startSetting()
const { app: server, issuer } = setting
const reader = await setting.createKeyClient({ access: [{ resource: issuer, scope: 'read:agents' }] })
await setting.createResource({ resource: API, scopes, client_id: reader.client_id })
await setting.createResource({ resource: DRAFT, scopes, token_profile: 'draft' })
const own = { resource: issuer, scope: 'generate:intent-token register:intent' }
const client = await setting.createKeyClient({ access: [own, ...ACCESS] })
const key = await generateKey()
const agent = await setting.registerAgent(client, { agent_id: 'patcher', grant: { access: ACCESS }, key })
const subject = `agent:${client.client_id}:patcher`

test('the answer to a mint has the members of RFC 6749 section 5.1 and no others, and is not stored', async () => {
  const answer = await mint(setting, client, agent, { resource: API, scope: 'repo:write repo:read' })

  const token = tokenOf(answer)
  const { scope } = decodeJwt(token)
  assert.deepEqual(answer.body, { access_token: token, token_type: 'DPoP', expires_in: 300, scope })
  assert.deepEqual(String(scope).split(' ').sort(), ['repo:read', 'repo:write'])
  assertNotStored(answer)
})

test('an interop intent token has these members and no others (RFC 9068 section 2.2, protocol.md section 7)', async () => {
  const token = tokenOf(await mint(setting, client, agent, { resource: API, scope: 'repo:write' }))

  assert.deepEqual(decodeProtectedHeader(token), { typ: 'at+jwt', alg: 'ES256', kid: await kidOf('ES256') })
  const { jti, ...claims } = decodeJwt(token)
  assert.match(String(jti), /^[\w-]{22,}$/)
  assert.deepEqual(claims, {
    iss: issuer,
    aud: API,
    client_id: client.client_id,
    sub: subject,
    sub_profile: 'ai_agent',
    ...times(),
    scope: 'repo:write',
    cnf: { jkt: key.jkt },
    ...agentClaims(agent),
  })
})

test('a draft intent token with a proof has these members and no others (protocol.md section 7)', async () => {
  const answer = await mint(setting, client, agent, { resource: DRAFT, scope: 'repo:write' })
  const token = tokenOf(answer)

  assert.deepEqual(answer.body, { access_token: token, token_type: 'DPoP', expires_in: 300, scope: 'repo:write' })
  assert.deepEqual(decodeProtectedHeader(token), { typ: 'JWT', alg: 'ES256', kid: await kidOf('ES256') })
  const { jti, ...claims } = decodeJwt(token)
  assert.match(String(jti), /^[\w-]{22,}$/)
  assert.deepEqual(claims, {
    iss: issuer,
    aud: DRAFT,
    client_id: client.client_id,
    sub: 'patcher',
    ...times(),
    scope: 'repo:write',
    cnf: { jwk: key.jwk },
    ...agentClaims(agent),
  })
})

for (const bound of [false, true]) {
  const kind = bound ? 'bound' : 'Bearer'
  test(`a ${kind} client_credentials token has these members and no others (RFC 9068 section 2.2)`, async () => {
    const token = await clientToken(server, client, { scope: 'register:intent', resource: issuer }, bound)

    const { jti, ...claims } = decodeJwt(token)
    assert.match(String(jti), /^[\w-]{22,}$/)
    assert.deepEqual(decodeProtectedHeader(token), { typ: 'at+jwt', alg: 'ES256', kid: await kidOf('ES256') })
    assert.deepEqual(claims, {
      iss: issuer,
      aud: issuer,
      client_id: client.client_id,
      sub: client.client_id,
      sub_profile: 'client',
      ...times(),
      scope: 'register:intent',
      ...(bound && { cnf: { jkt: client.key.jkt } }),
    })
  })
}

test("introspection answers the token's client and the resource's client with the claims as issued (RFC 7662 section 2.2)", async () => {
  const token = tokenOf(await mint(setting, client, agent, { resource: API, scope: 'repo:write' }))
  for (const caller of [client, reader]) {
    const answer = await introspect(token, caller)
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.body, { active: true, token_type: 'DPoP', ...decodeJwt(token), chain: [subject] })
    assertNotStored(answer)
  }
})

test('introspection answers everybody else, and for everything else, exactly active false (RFC 7662 section 2.2)', async () => {
  const other = await setting.createKeyClient({ access: [{ resource: issuer, scope: 'read:agents' }] })
  const token = tokenOf(await mint(setting, client, agent, { resource: API, scope: 'repo:write' }))
  const draft = tokenOf(await mint(setting, client, agent, { resource: DRAFT, scope: 'repo:write' }))
  const answers = [
    await introspect(token, other),
    await introspect(draft, reader),
    await introspect('no token', client),
    await introspect(`${token.slice(0, -4)}AAAA`, client),
  ]
  for (const { status, body } of answers) assert.deepEqual([status, body], [200, { active: false }])
})

test('revocation answers 200 with an empty body for own and unknown tokens (RFC 7009 section 2.2)', async () => {
  const token = tokenOf(await mint(setting, client, agent, { resource: API, scope: 'repo:write' }))
  for (const sent of [token, token, 'no token']) {
    const form = { token: sent, ...(await assertionOf(server, client)) }
    const answer = await postForm(`${issuer}/oauth/revoke`, form)
    assert.deepEqual([answer.status, answer.body], [200, {}])
    assertNotStored(answer)
  }
  assert.deepEqual((await introspect(token, client)).body, { active: false })
})

async function introspect(token: string, caller: KeyClient): Promise<Answer> {
  return await postForm(`${issuer}/oauth/introspect`, { token, ...(await assertionOf(server, caller)) })
}

function times() {
  const iat = server.clock.seconds()
  return { iat, exp: iat + 300 }
}

/** `intent` and `agent_proof` are the same in both profiles. */
function agentClaims({ checksum, registration_id }: Agent) {
  return {
    intent: {
      executed_by: 'patcher',
      delegation_chain: hash16(['patcher']),
      step_sequence_hash: hash16([]),
      state: 'none',
      chain_commitment: commitment([subject]),
      initiated_by: subject,
    },
    agent_proof: { agent_checksum: `sha256:${checksum}`, registration_id, version: 1, key: 'registered' },
  }
}

/** The published key of an algorithm; that its name is its thumbprint is the matter of metadata.test.ts. */
async function kidOf(alg: string): Promise<unknown> {
  const { body } = await get(`${issuer}/.well-known/jwks.json`)
  return keysSchema.parse(body).keys.find(published => published.alg === alg)?.kid
}

function assertNotStored({ headers }: Answer): void {
  assert.deepEqual([headers.get('cache-control'), headers.get('pragma')], ['no-store', 'no-cache'])
}
