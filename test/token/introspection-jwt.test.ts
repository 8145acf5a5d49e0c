import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { asksForSigned } from '../../src/server/token/introspection-jwt.ts'
import { type Attempt, agentGrant, clientCredentials, send, tokenRequest } from '../attacks/attempt.ts'
import { type GivenClient, givenClient, givenResource, givenWorld } from '../attacks/given.ts'

const JWT = 'application/token-introspection+jwt'
const world = await givenWorld()
const { ctx, client, solo } = world
const { issuer } = world.app
const api = await givenClient(ctx, 'the-api')
const OWNED = 'https://owned.example.com'
await givenResource(ctx, {
  resource: OWNED,
  scopes: [{ name: 'read' }],
  client_id: api.client_id,
  signing_alg: 'PS256',
})
const caller = await givenClient(ctx, 'caller', { access: [{ resource: OWNED, scope: 'read' }] })

async function mint(attempt: Attempt): Promise<string> {
  const answer = await send(world, attempt)
  assert.equal(answer.status, 200, answer.text)
  return String(answer.body.access_token)
}

function owned(): Promise<string> {
  const attempt = clientCredentials(world, caller)
  attempt.params.resource = OWNED
  return mint(attempt)
}

async function signed(token: string, by: GivenClient, accept = JWT) {
  const attempt = tokenRequest(world, '/oauth/introspect', by, token)
  attempt.headers = { Accept: accept }
  return await send(world, attempt)
}

/** As the API would: by the published keys. */
async function verify(text: string, audience: string, algorithms: readonly string[]) {
  const keys = createLocalJWKSet({ keys: ctx.keys.published().map(key => ({ ...key })) })
  const typ = 'token-introspection+jwt'
  const currentDate = ctx.now()
  return await jwtVerify(text, keys, { issuer, audience, typ, currentDate, algorithms: [...algorithms] })
}

function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
}

test('the signed answer has exactly the members of the plain one, for its caller, for a minute (RFC 9701 section 5)', async () => {
  const token = await mint(agentGrant(world, '/intent/token', solo))
  const answer = await signed(token, client)
  assert.equal(answer.headers['content-type'], JWT)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers.vary, 'Accept')
  const { payload, protectedHeader } = await verify(answer.text, client.client_id, ['ES256'])
  const { kid } = await ctx.keys.signer('ES256')
  assert.deepEqual(protectedHeader, { alg: 'ES256', typ: 'token-introspection+jwt', kid })
  const iat = world.app.clock.seconds()
  const chain = ['agent:patcher:solo']
  const token_introspection = { active: true, token_type: 'DPoP', ...claimsOf(token), chain }
  assert.deepEqual(payload, { iss: issuer, aud: 'patcher', iat, exp: iat + 60, token_introspection })
  const plain = await signed(token, client, 'application/json')
  assert.deepEqual(plain.body, token_introspection)
  assert.equal(plain.headers['content-type'], 'application/json; charset=utf-8')
})

test('the API’s own client gets the algorithm of its tokens, also for what is no token (RFC 9701 section 5)', async () => {
  const live = await verify((await signed(await owned(), api)).text, api.client_id, ['PS256'])
  assert.equal(Object(live.payload.token_introspection).active, true)
  for (const token of ['garbage', await mint(clientCredentials(world))]) {
    const { payload } = await verify((await signed(token, api)).text, api.client_id, ['PS256'])
    assert.deepEqual(payload.token_introspection, { active: false })
  }
  // The token’s own client is no API: our default.
  await verify((await signed(await owned(), caller)).text, caller.client_id, ['ES256'])
})

test('[attack 114] nobody else learns more from the signed form, and without authentication there is none (RFC 9701 section 4)', async () => {
  const token = await owned()
  const { payload } = await verify((await signed(token, client)).text, client.client_id, ['ES256'])
  assert.deepEqual(payload.token_introspection, { active: false })
  const anonymous = tokenRequest(world, '/oauth/introspect', client, token)
  const answer = await send(world, { ...anonymous, assertion: undefined, headers: { Accept: JWT } })
  assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'])
})

test('[attack 114] an introspection answer is no access token (RFC 8725 section 3.11)', async () => {
  const { text } = await signed(await mint(clientCredentials(world)), client)
  const again = await signed(text, client, 'application/json')
  assert.deepEqual(again.body, { active: false })
})

test('[attack 114] the client that introspects changes with the resource, at once; a deleted API tells nobody (section 7)', async () => {
  const token = await owned()
  const heir = await givenClient(ctx, 'heir')
  const seen = async () => {
    const answers = await Promise.all([api, heir].map(by => signed(token, by, 'application/json')))
    return answers.map(answer => answer.body.active)
  }
  const change = async (members: { client_id?: string; status?: 'deleted' }) =>
    await ctx.db.updateTable('resource').set(members).where('resource', '=', OWNED).execute()
  assert.deepEqual(await seen(), [true, false])
  await change({ client_id: 'heir' })
  assert.deepEqual(await seen(), [false, true])
  await change({ status: 'deleted' })
  assert.deepEqual(await seen(), [false, false])
  assert.equal((await signed(token, caller, 'application/json')).body.active, true)
})

test('JSON stays the default: the signed form must be named, and liked more than JSON (RFC 9110 section 12.5.1)', () => {
  const signedFor = [
    JWT,
    'Application/Token-Introspection+JWT',
    `${JWT}, */*`,
    `${JWT};q=0.9, application/json;q=0.8`,
    `text/html, ${JWT} ; q=0.001`,
    `application/json;q=0, ${JWT};q=0.1`,
  ]
  const plainFor = [
    undefined,
    '',
    '*/*',
    'application/*',
    'application/json',
    `${JWT}, application/json`,
    `${JWT};q=0`,
    `${JWT};q=0.0`,
    `${JWT};q=2`,
    `${JWT};q=x, */*`,
    `${JWT};q=0.5, */*`,
    `${JWT};q=0.5, application/*;q=0.6`,
    'application/token-introspection',
    ','.repeat(16_000),
  ]
  for (const accept of signedFor) assert.equal(asksForSigned(accept), true, accept)
  for (const accept of plainFor) assert.equal(asksForSigned(accept), false, String(accept))
})
