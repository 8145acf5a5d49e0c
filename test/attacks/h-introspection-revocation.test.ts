import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CompactSign } from 'jose'
import { base64url } from '../protocol/forge.ts'
import { givenDelegationFrom } from '../support/delegated.ts'
import { loseStorage } from '../support/lose-storage.ts'
import { type Attempt, agentGrant, clientCredentials, send, tokenRequest } from './attempt.ts'
import { DRAFT_API, type GivenClient, givenAgent, givenClient, givenResource, givenWorld, thumbprint } from './given.ts'
import { startNode } from './node.ts'
import { type Expected, refused } from './refused.ts'

const world = await givenWorld()
const { ctx, client, solo } = world
const api = await givenClient(ctx, 'the-api')
const stranger = await givenClient(ctx, 'stranger')
const OWNED = 'https://owned.example.com'
await givenResource(ctx, { resource: OWNED, scopes: [{ name: 'read' }], client_id: api.client_id })
const caller = await givenClient(ctx, 'caller', { access: [{ resource: OWNED, scope: 'read' }] })

const INACTIVE = { status: 200, body: { active: false } }
const UNAUTHENTICATED = { status: 401, error: 'invalid_client', audited: false } as const

async function mint(attempt: Attempt): Promise<string> {
  const answer = await send(world, attempt)
  assert.equal(answer.status, 200, answer.text)
  return String(answer.body.access_token)
}

async function introspected(token: string, by: GivenClient, port?: number) {
  const { status, body } = await send(world, tokenRequest(world, '/oauth/introspect', by, token), port)
  return { status, body }
}

function claimsOf(token: string) {
  const [, payload = ''] = token.split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
}

function owned(): Attempt {
  const attempt = clientCredentials(world, caller)
  attempt.params.resource = OWNED
  return attempt
}

test('introspection tells the token’s own client the claims as issued (RFC 7662 section 2.2)', async () => {
  const token = await mint(agentGrant(world, '/intent/token', solo))
  const expected = { active: true, token_type: 'DPoP', ...claimsOf(token), chain: ['agent:patcher:solo'] }
  assert.deepEqual(await introspected(token, client), { status: 200, body: expected })
})

test('a draft token without a proof is Bearer, and recorded with the one key that it carries (protocol.md section 7)', async () => {
  const optional = await givenClient(ctx, undefined, { policies: { agent_proof: 'optional' } })
  const agent = await givenAgent(ctx, optional, 'unproven')
  const attempt = { ...agentGrant(world, '/intent/token', agent), proof: undefined }
  attempt.params.audience = DRAFT_API
  const token = await mint(attempt)
  const chain = [`agent:${optional.client_id}:unproven`]
  const expected = { active: true, token_type: 'Bearer', ...claimsOf(token), chain }
  assert.deepEqual(await introspected(token, optional), { status: 200, body: expected })
  const row = await ctx.db
    .selectFrom('token')
    .select(['token_type', 'jkt'])
    .where('jti', '=', claimsOf(token).jti)
    .executeTakeFirst()
  assert.deepEqual(row, { token_type: 'Bearer', jkt: await thumbprint(agent.key) })
})

test('[attack 114] the API’s own client learns of its tokens, nobody else of any (protocol.md section 7)', async () => {
  const token = await mint(owned())
  assert.equal((await introspected(token, caller)).body.active, true)
  assert.equal((await introspected(token, api)).body.active, true)
  assert.deepEqual(await introspected(token, stranger), INACTIVE)
  assert.deepEqual(await introspected(token, client), INACTIVE)
  const other = await mint(clientCredentials(world))
  assert.deepEqual(await introspected(other, api), INACTIVE)
})

test('[attack 114] whatever is no live token of ours is inactive and nothing more (RFC 7662 section 2.2)', async () => {
  const own = await givenWorld()
  const answer = await send(own, clientCredentials(own))
  const live = String(answer.body.access_token)
  const [head = '', payload = '', mac = ''] = live.split('.')
  const later = base64url(JSON.stringify({ ...claimsOf(live), exp: claimsOf(live).exp + 300 }))
  const foreign = await mint(clientCredentials(world))
  const garbage = ['x', 'a.b.c', `${head}.${later}.${mac}`, `${head}.${payload}.${mac}x`, foreign, 'x'.repeat(16_000)]
  for (const token of garbage) {
    const { status, body } = await send(own, tokenRequest(own, '/oauth/introspect', own.client, token))
    assert.deepEqual({ status, body }, INACTIVE)
  }
  own.app.clock.advance(299)
  const almost = await send(own, tokenRequest(own, '/oauth/introspect', own.client, live))
  assert.equal(almost.body.active, true)
  own.app.clock.advance(1)
  const { status, body } = await send(own, tokenRequest(own, '/oauth/introspect', own.client, live))
  assert.deepEqual({ status, body }, INACTIVE)
})

test('[attack 18] a token that was active a moment ago is judged anew, at every node (no answer is cached)', async () => {
  const node = await startNode(world)
  const token = await mint(clientCredentials(world))
  for (const port of [undefined, node.port]) assert.equal((await introspected(token, client, port)).body.active, true)
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', client, token))).status, 200)
  for (const port of [undefined, node.port]) assert.deepEqual(await introspected(token, client, port), INACTIVE)
  await node.close()
})

test('[attack 114] a token that was signed but not recorded is none', async () => {
  const token = await mint(clientCredentials(world))
  await ctx.db.deleteFrom('token').where('jti', '=', claimsOf(token).jti).execute()
  assert.deepEqual(await introspected(token, client), INACTIVE)
})

test('[attack 114] introspection and revocation without authentication, or in the URL, are refused', async () => {
  for (const path of ['/oauth/introspect', '/oauth/revoke'] as const) {
    const good = () => tokenRequest(world, path, client, 'x')
    const anonymous = { ...good(), assertion: undefined }
    await refused(world, anonymous, { ...UNAUTHENTICATED, reason: 'no_credentials' }, good())
    const bearer = { ...anonymous, headers: { Authorization: 'Bearer abc' } }
    await refused(world, bearer, { ...UNAUTHENTICATED, reason: 'bearer_not_accepted' }, good())
    const answer = await send(world, { ...good(), method: 'GET', path: `${path}?token=x` })
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'POST'])
    assert.equal(answer.headers['cache-control'], 'no-store')
  }
})

test('[attack 114] guessing at credentials of introspection is held back', async () => {
  const guesser = await givenClient(ctx, undefined, { token_endpoint_auth_method: 'client_secret_post' })
  const guess = tokenRequest(world, '/oauth/introspect', { ...guesser, client_secret: 'wrong' }, 'x')
  for (let n = 0; n < 20; n += 1) assert.equal((await send(world, guess)).status, 401)
  const held = await send(world, guess)
  assert.deepEqual([held.status, held.body.error], [429, 'temporarily_unavailable'])
  assert.match(String(held.headers['retry-after']), /^\d+$/)
})

test('[attack 114] what our key signed for another issuer, client or kind is no token of ours', async () => {
  const token = await mint(clientCredentials(world))
  const { kid, key, alg } = await ctx.keys.signer('ES256')
  const forgeries: readonly [string, object, boolean][] = [
    ['at+jwt', {}, true],
    ['at+jwt', { iss: 'https://other.example.com' }, false],
    ['at+jwt', { client_id: stranger.client_id }, false],
    ['at+jwt', { jti: 'unknown' }, false],
    ['at+jwt', { exp: 'never' }, false],
    ['agent-key+jwt', {}, false],
  ]
  for (const [typ, members, active] of forgeries) {
    const payload = Buffer.from(JSON.stringify({ ...claimsOf(token), ...members }))
    const forged = await new CompactSign(payload).setProtectedHeader({ alg, typ, kid }).sign(key)
    for (const by of [client, stranger]) {
      assert.equal((await introspected(forged, by)).body.active, active && by === client, JSON.stringify(members))
    }
  }
})

test('[attack 114] the client of a revoked API learns nothing more', async () => {
  const resource = 'https://gone.example.com'
  await givenResource(ctx, { resource, scopes: [{ name: 'read' }], client_id: api.client_id })
  const user = await givenClient(ctx, undefined, { access: [{ resource, scope: 'read' }] })
  const attempt = clientCredentials(world, user)
  attempt.params.resource = resource
  const token = await mint(attempt)
  assert.equal((await introspected(token, api)).body.active, true)
  await ctx.db.updateTable('resource').set({ status: 'revoked' }).where('resource', '=', resource).execute()
  assert.deepEqual(await introspected(token, api), INACTIVE)
})

test('a revocation leaves one audit row and one entry; a refused one has used its assertion (protocol.md section 3)', async () => {
  const token = await mint(clientCredentials(world))
  const { jti } = claimsOf(token)
  const attempt = tokenRequest(world, '/oauth/revoke', stranger, token)
  assert.equal((await send(world, attempt)).status, 400)
  const again = { ...tokenRequest(world, '/oauth/revoke', stranger, 'x'), assertion: attempt.assertion }
  assert.equal((await send(world, again)).status, 401)
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', client, token))).status, 200)
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'actor', 'client_id', 'details'])
    .where('action', '=', 'token.revoke')
    .where('jti', '=', jti)
    .execute()
  const details = { revoked: { token: 1, delegations: 0 } }
  assert.deepEqual(rows, [{ outcome: 'success', actor: 'patcher', client_id: 'patcher', details }])
  const entries = await ctx.db.selectFrom('revocation').select(['kind', 'revoked_by']).where('id', '=', jti).execute()
  assert.deepEqual(entries, [{ kind: 'token', revoked_by: 'patcher' }])
})

test('[attack 115] another client’s token is refused and lives (RFC 7009 section 2.1)', async () => {
  const token = await mint(clientCredentials(world))
  const attempt = tokenRequest(world, '/oauth/revoke', stranger, token)
  const expected: Expected = {
    status: 400,
    error: 'unauthorized_client',
    reason: 'token_of_other_client',
    audited: true,
  }
  await refused(world, attempt, expected, tokenRequest(world, '/oauth/revoke', stranger, 'x'))
  assert.equal((await introspected(token, client)).body.active, true)
})

test('[attack 115] an unknown token is 200, and nothing changes (RFC 7009 section 2.2)', async () => {
  const token = await mint(clientCredentials(world))
  for (const unknown of ['x', `${token}x`]) {
    const answer = await send(world, tokenRequest(world, '/oauth/revoke', client, unknown))
    assert.deepEqual([answer.status, answer.body], [200, {}])
  }
  assert.equal((await introspected(token, client)).body.active, true)
  const entries = await ctx.db.selectFrom('revocation').select('id').where('id', '=', claimsOf(token).jti).execute()
  assert.deepEqual(entries, [])
})

test('[attack 115] a revoked token and all that descends from it are dead at every node (protocol.md section 9)', async () => {
  const node = await startNode(world)
  const tokens = await Promise.all(Array.from({ length: 7 }, () => mint(clientCredentials(world))))
  const jtis = tokens.map(token => String(claimsOf(token).jti))
  // As if each had been delegated from the one before, but for the last.
  for (const [index, jti] of jtis.slice(1, -1).entries()) {
    const parent_jti = jtis[index] ?? ''
    const delegation_id = await givenDelegationFrom(ctx, parent_jti)
    await ctx.db.updateTable('token').set({ parent_jti, delegation_id }).where('jti', '=', jti).execute()
  }
  const answer = await send(world, tokenRequest(world, '/oauth/revoke', client, tokens[0] ?? ''))
  assert.equal(answer.status, 200)
  for (const port of [undefined, node.port]) {
    const active: unknown[] = []
    for (const token of tokens) active.push((await introspected(token, client, port)).body.active)
    assert.deepEqual(active, [false, false, false, false, false, false, true])
  }
  await node.close()
})

test('[attack 115] revoking again is 200, and a hint is only a hint (RFC 7009 section 2.1)', async () => {
  const token = await mint(clientCredentials(world))
  for (const token_type_hint of ['refresh_token', 'access_token', 'nonsense']) {
    const attempt = tokenRequest(world, '/oauth/revoke', client, token)
    attempt.params.token_type_hint = token_type_hint
    assert.equal((await send(world, attempt)).status, 200)
  }
  assert.deepEqual(await introspected(token, client), INACTIVE)
})

test('[attack 115] [attack 120] while storage is away every endpoint says 503 and Retry-After, never a guess', async () => {
  const own = await givenWorld()
  const { access_token } = (await send(own, clientCredentials(own))).body
  await loseStorage(own.ctx)
  const token = String(access_token)
  const attempts = [
    tokenRequest(own, '/oauth/revoke', own.client, token),
    tokenRequest(own, '/oauth/introspect', own.client, token),
    clientCredentials(own),
    agentGrant(own, '/intent/token', own.solo),
  ]
  for (const attempt of attempts) {
    const answer = await send(own, attempt)
    assert.deepEqual([answer.status, answer.body.error], [503, 'temporarily_unavailable'], attempt.path)
    assert.match(String(answer.headers['retry-after']), /^\d+$/)
    assert.equal(answer.headers['cache-control'], 'no-store')
  }
})

test('[attack 118] a token of an agent, for another audience, or without the scope stands for no client (section 6)', async () => {
  const forIssuer = (scope: string) => {
    const attempt = { ...clientCredentials(world), proof: undefined }
    attempt.params = { ...attempt.params, scope, resource: world.app.issuer }
    return attempt
  }
  const tokens = [
    await mint(agentGrant(world, '/intent/token', solo)),
    await mint(clientCredentials(world)),
    await mint(forIssuer('register:intent')),
  ]
  for (const token of tokens) {
    const attempt = { ...agentGrant(world, '/intent/token', solo), assertion: undefined }
    attempt.headers = { Authorization: `Bearer ${token}` }
    const answer = await send(world, attempt)
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_token'])
  }
  const good = { ...agentGrant(world, '/intent/token', solo), assertion: undefined }
  const right = await mint(forIssuer('generate:intent-token'))
  good.headers = { Authorization: `Bearer ${right}` }
  assert.equal((await send(world, good)).status, 200)
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', client, right))).status, 200)
  const revoked = { ...agentGrant(world, '/intent/token', solo), assertion: undefined, headers: good.headers }
  assert.equal((await send(world, revoked)).status, 401)
})

test('[attack 118] what our key signed for somebody else than a client stands for no client (section 6)', async () => {
  const asked = { ...clientCredentials(world), proof: undefined }
  asked.params = { ...asked.params, scope: 'generate:intent-token', resource: world.app.issuer }
  const claims = claimsOf(await mint(asked))
  const { kid, key, alg } = await ctx.keys.signer('ES256')
  const others: readonly [object, number][] = [
    [{}, 200],
    [{ sub: 'user:local:anna', sub_profile: 'user' }, 401],
    [{ sub: 'agent:patcher:solo', sub_profile: 'ai_agent' }, 401],
    [{ act: { sub: 'agent:patcher:solo' } }, 401],
    [{ aud: `${world.app.issuer}/admin` }, 401],
    [{ iss: 'https://other.example.com' }, 401],
    [{ exp: claims.iat - 10 }, 401],
    [{ client_id: 'nobody', sub: 'nobody' }, 401],
  ]
  for (const [members, status] of others) {
    const payload = Buffer.from(JSON.stringify({ ...claims, ...members }))
    const token = await new CompactSign(payload).setProtectedHeader({ alg, typ: 'at+jwt', kid }).sign(key)
    const attempt = { ...agentGrant(world, '/intent/token', solo), assertion: undefined }
    attempt.headers = { Authorization: `Bearer ${token}` }
    assert.equal((await send(world, attempt)).status, status, JSON.stringify(members))
  }
})
