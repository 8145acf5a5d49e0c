import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/server/config.ts'
import { testKey } from '../protocol/forge.ts'
import { type Attempt, agentGrant, assertionOf, clientCredentials, proofOf, send, tokenRequest } from './attempt.ts'
import { type GivenClient, givenClient, givenWorld } from './given.ts'
import { startNode } from './node.ts'
import { type Expected, refused, tokenCount } from './refused.ts'

const world = await givenWorld()
const { ctx } = world
const secretBasic = { token_endpoint_auth_method: 'client_secret_basic' }
const secretPost = { token_endpoint_auth_method: 'client_secret_post' }
const UNAUTHENTICATED = { status: 401, error: 'invalid_client', audited: false } as const

type Case = {
  readonly row: number
  readonly name: string
  readonly spoil: (attempt: Attempt, client: GivenClient) => void
  readonly expect: Partial<Expected> & { readonly reason: string }
  readonly client?: object
}

function claims(attempt: Attempt, members: Record<string, unknown>): void {
  Object.assign(attempt.assertion?.payload ?? {}, members)
}

const now = () => world.app.clock.seconds()
const { issuer } = world.app
const audiences: readonly [string, unknown][] = [
  ['the token endpoint', `${issuer}/oauth/token`],
  ['another endpoint', `${issuer}/oauth/introspect`],
  ['the issuer among others', [issuer, 'https://other.example.com']],
  ['another server', 'https://other.example.com'],
  ['the issuer and a slash', `${issuer}/`],
  ['absent', undefined],
]

const CASES: readonly Case[] = [
  ...audiences.map(([name, aud]) => ({
    row: 20,
    name,
    spoil: (attempt: Attempt) => claims(attempt, { aud }),
    expect: { reason: 'assertion_audience' },
  })),
  { row: 22, name: 'no jti', spoil: a => claims(a, { jti: undefined }), expect: { reason: 'assertion_jti' } },
  { row: 22, name: 'jti a number', spoil: a => claims(a, { jti: 1 }), expect: { reason: 'assertion_jti' } },
  {
    row: 22,
    name: 'jti of 10 KB',
    spoil: a => claims(a, { jti: 'j'.repeat(9_000) }),
    expect: { reason: 'assertion_jti' },
  },
  { row: 23, name: 'exp 5 min ago', spoil: a => claims(a, { exp: now() - 300 }), expect: { reason: 'exp_passed' } },
  { row: 23, name: 'iat 61 s ahead', spoil: a => claims(a, { iat: now() + 61 }), expect: { reason: 'iat_future' } },
  { row: 23, name: 'nbf 61 s ahead', spoil: a => claims(a, { nbf: now() + 61 }), expect: { reason: 'nbf_future' } },
  {
    row: 23,
    name: 'exp in 9999',
    spoil: a => claims(a, { exp: 253402300799 }),
    expect: { reason: 'lifetime_too_long' },
  },
  {
    row: 24,
    name: 'iss is not sub',
    spoil: a => claims(a, { iss: 'patcher' }),
    expect: { reason: 'assertion_subject' },
  },
  { row: 24, name: 'no sub', spoil: a => claims(a, { sub: undefined }), expect: { reason: 'client_unknown' } },
  {
    row: 24,
    name: 'sub of nobody',
    spoil: a => claims(a, { sub: 'nobody', iss: 'nobody' }),
    expect: { reason: 'client_unknown' },
  },
  {
    row: 24,
    name: 'client_id of another',
    spoil: a => Object.assign(a.params, { client_id: 'patcher' }),
    expect: { reason: 'other_client_id' },
  },
  {
    row: 25,
    name: 'Basic and assertion',
    spoil: (a, client) => Object.assign(a.headers, { Authorization: basic(client.client_id, 'x') }),
    expect: { status: 400, error: 'invalid_request', reason: 'two_auth_methods' },
  },
  {
    row: 25,
    name: 'secret in the body and Basic',
    client: secretPost,
    spoil: (a, client) => Object.assign(a.headers, { Authorization: basic(client.client_id, client.client_secret) }),
    expect: { status: 400, error: 'invalid_request', reason: 'two_auth_methods' },
  },
  {
    row: 25,
    name: 'secret and assertion in the body',
    spoil: a => Object.assign(a.params, { client_secret: 'x' }),
    expect: { status: 400, error: 'invalid_request', reason: 'two_auth_methods' },
  },
  {
    row: 26,
    name: 'only client_id',
    spoil: (a, client) =>
      Object.assign(a, { assertion: undefined, params: { ...a.params, client_id: client.client_id } }),
    expect: { reason: 'no_credentials' },
  },
  {
    row: 26,
    name: 'an empty secret by Basic',
    spoil: (a, client) =>
      Object.assign(a, { assertion: undefined, headers: { Authorization: basic(client.client_id, '') } }),
    expect: { reason: 'malformed_basic' },
  },
  {
    row: 26,
    name: 'a secret where keys are registered',
    spoil: (a, client) =>
      Object.assign(a, {
        assertion: undefined,
        params: { ...a.params, client_id: client.client_id, client_secret: 'x' },
      }),
    expect: { reason: 'client_or_secret' },
  },
  {
    row: 26,
    name: 'the right secret by the other method',
    client: secretBasic,
    spoil: () => {},
    expect: { reason: 'other_auth_method' },
  },
  {
    row: 26,
    name: 'another kind of assertion',
    spoil: a =>
      Object.assign(a.params, { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' }),
    expect: { reason: 'assertion_type' },
  },
  ...[
    ['bad base64', 'Basic !!!', 'malformed_basic'],
    ['no colon', `Basic ${Buffer.from('patcher').toString('base64')}`, 'malformed_basic'],
    ['NUL', `Basic ${Buffer.from('patcher:a\0b').toString('base64')}`, 'malformed_basic'],
    ['a stray percent sign', `Basic ${Buffer.from('patcher:a%b').toString('base64')}`, 'malformed_basic'],
    ['not UTF-8', `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`, 'malformed_basic'],
    ['no value', 'Basic', 'unknown_auth_scheme'],
    ['another scheme', 'Digest abc', 'unknown_auth_scheme'],
    ['a bearer token at a grant that takes none', 'Bearer abc', 'bearer_not_accepted'],
  ].map(([name = '', Authorization, reason = '']) => ({
    row: 27,
    name,
    spoil: (a: Attempt) => Object.assign(a, { assertion: undefined, headers: { Authorization } }),
    expect: { reason },
  })),
]

for (const [row, cases] of Map.groupBy(CASES, one => one.row)) {
  test(`[attack ${row}] client authentication refuses ${cases.map(one => one.name).join('; ')}`, async () => {
    for (const { name, spoil, expect, client: overrides } of cases) {
      const client = await givenClient(ctx, undefined, overrides)
      const attempt = clientCredentials(world, client)
      spoil(attempt, client)
      const answer = await refused(world, attempt, { ...UNAUTHENTICATED, ...expect }, goodOf(client, overrides)).catch(
        error => {
          throw new Error(`${name}: ${error.message}`, { cause: error })
        },
      )
      const challenged = row === 27 || (attempt.headers.Authorization !== undefined && answer.status === 401)
      assert.equal(answer.headers['www-authenticate'] !== undefined, challenged, name)
    }
  })
}

test('[attack 20] introspection and revocation take the issuer alone as audience, too (RFC 10070)', async () => {
  for (const path of ['/oauth/introspect', '/oauth/revoke'] as const) {
    for (const [, aud] of audiences) {
      const client = await givenClient(ctx)
      const attempt = tokenRequest(world, path, client, 'x')
      claims(attempt, { aud })
      const good = tokenRequest(world, path, client, 'x')
      await refused(world, attempt, { ...UNAUTHENTICATED, reason: 'assertion_audience' }, good)
    }
  }
})

test('[attack 21] an assertion is taken once, at any endpoint (RFC 7523 section 3)', async () => {
  const client = await givenClient(ctx)
  const assertion = assertionOf(world, client)
  const first = await send(world, { ...clientCredentials(world, client), assertion })
  assert.equal(first.status, 200, first.text)
  const again = { ...clientCredentials(world, client), assertion }
  const expected = { ...UNAUTHENTICATED, audited: true, reason: 'assertion_replayed' }
  await refused(world, again, expected, clientCredentials(world, client))
  // Remembered as long as any clock may still take it.
  const { jti, exp } = assertion.payload
  const row = await ctx.db.selectFrom('replay').select('expires_at').where('jti', '=', String(jti)).executeTakeFirst()
  assert.deepEqual(row, { expires_at: new Date((Number(exp) + 10) * 1000) })
  for (const path of ['/oauth/introspect', '/oauth/revoke'] as const) {
    const answer = await send(world, { ...tokenRequest(world, path, client, 'x'), assertion })
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'], path)
  }
})

test('[attack 21] of 50 uses of one assertion at two nodes one succeeds (RFC 7523 section 3)', async () => {
  const node = await startNode(world)
  const client = await givenClient(ctx)
  const assertion = assertionOf(world, client)
  const before = await tokenCount(world)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      send(world, { ...clientCredentials(world, client), assertion }, index % 2 === 0 ? node.port : undefined),
    ),
  )
  await node.close()
  const outcomes = answers.map(({ status, body }) => (status === 200 ? 'token' : `${status} ${body.error}`))
  assert.deepEqual(count(outcomes), { token: 1, '401 invalid_client': 49 })
  assert.equal((await tokenCount(world)) - before, 1)
})

test('[attack 21] of 20 introspections with one assertion one is answered', async () => {
  const client = await givenClient(ctx)
  const assertion = assertionOf(world, client)
  const attempts = Array.from({ length: 20 }, () => tokenRequest(world, '/oauth/introspect', client, 'x'))
  const answers = await Promise.all(attempts.map(attempt => send(world, { ...attempt, assertion })))
  assert.deepEqual(count(answers.map(answer => String(answer.status))), { 200: 1, 401: 19 })
})

test('[attack 22] a jti that another client used is free for this one (key is client and jti)', async () => {
  const [attacker, victim] = [await givenClient(ctx), await givenClient(ctx)]
  for (const client of [attacker, victim]) {
    const attempt = clientCredentials(world, client)
    claims(attempt, { jti: 'the victim’s'.replace('’', '') })
    assert.equal((await send(world, attempt)).status, 200)
  }
})

test('[attack 23] a clock that is 8 s ahead is good enough (protocol.md section 3)', async () => {
  const attempt = clientCredentials(world)
  claims(attempt, { iat: now() + 8, nbf: now() + 8 })
  assert.equal((await send(world, attempt)).status, 200)
})

test('[attack 26] a client of secrets proves itself at introspection and revocation by its method only', async () => {
  const client = await givenClient(ctx, undefined, secretBasic)
  for (const path of ['/oauth/introspect', '/oauth/revoke'] as const) {
    const good = { ...tokenRequest(world, path, client, 'x'), params: { token: 'x' } }
    good.headers = { Authorization: basic(client.client_id, client.client_secret) }
    const asGood = { ...good, client: { ...client, client_secret: undefined } }
    const none = { ...asGood, headers: {}, params: { token: 'x', client_id: client.client_id } }
    await refused(world, bare(none), { ...UNAUTHENTICATED, reason: 'no_credentials' }, bare(good))
  }
})

test('[attack 27] Basic in any letter case, form-decoded (RFC 6749 section 2.3.1)', async () => {
  const client = await givenClient(ctx, 'app.with-odd_id', secretBasic)
  for (const scheme of ['Basic', 'basic', 'BASIC']) {
    const attempt = bare(clientCredentials(world, client))
    const encoded = basic(client.client_id.replace('-', '%2D'), client.client_secret).replace('Basic', scheme)
    attempt.headers = { Authorization: encoded }
    assert.equal((await send(world, attempt)).status, 200, scheme)
  }
})

test('[attack 28] a revoked client, a removed key and an expired secret authenticate nobody', async () => {
  const revoked = await givenClient(ctx)
  await ctx.db.updateTable('client').set({ status: 'revoked' }).where('client_id', '=', revoked.client_id).execute()
  const expected = { ...UNAUTHENTICATED, reason: 'client_revoked' }
  await refused(world, clientCredentials(world, revoked), expected, clientCredentials(world))

  const rekeyed = await givenClient(ctx, undefined, { jwks: { keys: [testKey('ES256').jwk] } })
  const reason = 'jws_signature'
  await refused(world, clientCredentials(world, rekeyed), { ...UNAUTHENTICATED, reason }, clientCredentials(world))

  const expired = await givenClient(ctx, undefined, secretPost)
  await ctx.db
    .updateTable('client_secret')
    .set({ expires_at: world.app.clock.now() })
    .where('client_id', '=', expired.client_id)
    .execute()
  const wrong = { ...UNAUTHENTICATED, reason: 'client_or_secret' }
  await refused(world, clientCredentials(world, expired), wrong, clientCredentials(world))
})

test('[attack 29] unknown client and wrong secret look the same (OpenBao GO-2025-3854)', async () => {
  const client = await givenClient(ctx, undefined, secretPost)
  const wrong = clientCredentials(world, { ...client, client_secret: 'wrong' })
  const unknown = clientCredentials(world, { ...client, client_id: 'unknown-app', client_secret: 'wrong' })
  const expected = { ...UNAUTHENTICATED, reason: 'client_or_secret' }
  const answers = [
    await refused(world, wrong, expected, goodOf(client)),
    await refused(world, unknown, expected, goodOf(client)),
  ]
  assert.equal(answers[0]?.text, answers[1]?.text)
})

test('[attack 29] after 20 wrong secrets the next is held back, in any spelling, and only for this client', async () => {
  const [client, other] = [await givenClient(ctx, undefined, secretPost), await givenClient(ctx, undefined, secretPost)]
  const guess = clientCredentials(world, { ...client, client_secret: 'wrong' })
  for (let n = 0; n < 20; n += 1) assert.equal((await send(world, guess)).status, 401)
  const held = await send(world, guess)
  assert.deepEqual([held.status, held.body.error], [429, 'temporarily_unavailable'])
  assert.match(String(held.headers['retry-after']), /^[1-9]\d?$/)
  // Another method for the same name is the same name.
  const byBasic = bare(clientCredentials(world, { ...client, client_secret: undefined }))
  byBasic.headers = { Authorization: basic(client.client_id, 'wrong') }
  assert.equal((await send(world, byBasic)).status, 429)
  assert.equal((await send(world, clientCredentials(world, other))).status, 200)
})

test('[attack 29] wrong secrets in the name of a client that signs do not hold back its assertions (section 3)', async () => {
  const client = await givenClient(ctx)
  const guess = clientCredentials(world, { ...client, client_secret: 'wrong' })
  for (let n = 0; n < 21; n += 1) assert.equal((await send(world, guess)).status, n < 20 ? 401 : 429)
  const unsigned = clientCredentials(world, client)
  claims(unsigned, { aud: 'https://other.example.com' })
  for (let n = 0; n < 21; n += 1) assert.equal((await send(world, unsigned)).status, 401)
  for (const path of ['/oauth/introspect', '/oauth/revoke'] as const) {
    assert.equal((await send(world, tokenRequest(world, path, client, 'x'))).status, 200, path)
  }
  assert.equal((await send(world, clientCredentials(world, client))).status, 200)
})

test('[attack 29] guesses from one address do not lock the client out of another', async () => {
  const behindProxy = await givenWorld({ env: { REMIT_TRUST_PROXY: '127.0.0.1' } })
  const client = await givenClient(behindProxy.ctx, undefined, secretPost)
  const from = (address: string, attempt: Attempt) => ({ ...attempt, headers: { 'X-Forwarded-For': address } })
  const guess = clientCredentials(behindProxy, { ...client, client_secret: 'wrong' })
  for (let n = 0; n < 20; n += 1) assert.equal((await send(behindProxy, from('203.0.113.1', guess))).status, 401)
  assert.equal((await send(behindProxy, from('203.0.113.1', guess))).status, 429)
  const good = clientCredentials(behindProxy, client)
  assert.equal((await send(behindProxy, from('203.0.113.2', good))).status, 200)
})

test('[attack 30] forwarded headers of a peer that is not trusted change nothing', async () => {
  const headers = {
    'X-Forwarded-For': '203.0.113.9',
    'X-Forwarded-Host': 'evil.example.com',
    'X-Forwarded-Proto': 'https',
    'X-SSL-Client-Cert': 'abc',
    Forwarded: 'for=203.0.113.9;host=evil.example.com',
  }
  const attempt = { ...clientCredentials(world), headers }
  await ctx.db.deleteFrom('audit_event').execute()
  assert.equal((await send(world, attempt)).status, 200)
  const row = await ctx.db.selectFrom('audit_event').select('address').executeTakeFirstOrThrow()
  assert.equal(row.address, '127.0.0.1')
  const elsewhere = { ...clientCredentials(world), headers }
  elsewhere.proof = proofOf(world, world.client.dpopKey, '/oauth/token')
  elsewhere.proof.payload.htu = 'https://evil.example.com/oauth/token'
  const expected = { status: 400, error: 'invalid_dpop_proof', reason: 'dpop_htu', audited: false }
  await refused(world, elsewhere, expected, clientCredentials(world))
})

test('[attack 30] a trusted proxy is named in IPv4 form, not as ::ffff:', () => {
  assert.throws(() => loadConfig({ REMIT_TRUST_PROXY: '::ffff:10.0.0.0/104' }), /REMIT_TRUST_PROXY/)
})

test('[attack 26] [attack 46] the agent grant needs a client like every other grant (section 6)', async () => {
  for (const path of ['/oauth/token', '/intent/token'] as const) {
    const client = await givenClient(ctx)
    const attempt = agentGrant(world, path, world.solo)
    const anonymous = { ...attempt, client, assertion: undefined }
    const expected = { ...UNAUTHENTICATED, reason: 'no_credentials' }
    await refused(world, anonymous, expected, agentGrant(world, path, world.solo))
  }
})

/** A request that succeeds, by the client's own method. */
function goodOf(client: GivenClient, overrides: object = {}): Attempt {
  const attempt = clientCredentials(world, client)
  if (overrides !== secretBasic) return attempt
  const headers = { Authorization: basic(client.client_id, client.client_secret) }
  return { ...bare(attempt), headers }
}

/** Sends no credentials of its own accord. */
function bare(attempt: Attempt): Attempt {
  const { client_secret: _, ...client } = attempt.client
  return { ...attempt, client, assertion: undefined }
}

function basic(client_id: string, client_secret: string | undefined): string {
  return `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`
}

function count(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}
