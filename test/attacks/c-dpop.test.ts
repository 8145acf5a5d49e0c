import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issueNonce } from '../../src/protocol/dpop-nonce.ts'
import { transaction } from '../../src/server/context.ts'
import { claimReplays, type ReplayClaim } from '../../src/server/store/replay.ts'
import { base64url, testKey } from '../protocol/forge.ts'
import { loseStorage } from '../support/lose-storage.ts'
import { type Answer, type Attempt, agentGrant, clientCredentials, proofOf, send, signed } from './attempt.ts'
import { DRAFT_API, givenAgent, givenClient, givenResource, givenWorld, READ_API, thumbprint } from './given.ts'
import { startNode } from './node.ts'
import { type Expected, refused, tokenCount } from './refused.ts'

const world = await givenWorld()
const { ctx } = world
const { clock, issuer } = world.app
const REFUSED = { status: 400, error: 'invalid_dpop_proof', audited: false } as const
const now = () => clock.seconds()

type Case = {
  readonly row: number
  readonly name: string
  readonly reason: string
  readonly spoil: (attempt: Attempt) => void
}

function claims(members: Record<string, unknown>): (attempt: Attempt) => void {
  return attempt => Object.assign(attempt.proof?.payload ?? {}, members)
}

function head(members: Record<string, unknown>): (attempt: Attempt) => void {
  return attempt => Object.assign(attempt.proof?.header ?? {}, members)
}

function headers(make: (proof: string) => string[]): (attempt: Attempt) => void {
  return attempt => {
    assert.ok(attempt.proof)
    const values = make(signed(attempt.proof))
    Object.assign(attempt, { proof: undefined, extraHeaders: values.flatMap(value => ['DPoP', value]) })
  }
}

const origin = new URL(issuer).host
const rsa = testKey('RS256')

const CASES: readonly Case[] = [
  { row: 31, name: 'two headers', reason: 'dpop_header', spoil: headers(proof => [proof, proof]) },
  { row: 31, name: 'two in one', reason: 'malformed_jws', spoil: headers(proof => [`${proof}, ${proof}`]) },
  { row: 31, name: 'empty', reason: 'malformed_jws', spoil: headers(() => ['']) },
  { row: 32, name: 'no JWT', reason: 'malformed_jws', spoil: headers(() => ['proof']) },
  { row: 32, name: 'typ JWT', reason: 'jws_typ', spoil: head({ typ: 'JWT' }) },
  { row: 32, name: 'alg none', reason: 'dpop_alg', spoil: head({ alg: 'none' }) },
  { row: 32, name: 'alg HS256', reason: 'dpop_alg', spoil: head({ alg: 'HS256' }) },
  { row: 32, name: 'RS256', reason: 'dpop_alg', spoil: a => Object.assign(a, { proof: proofOf(world, rsa, a.path) }) },
  { row: 32, name: 'no jwk', reason: 'malformed_jwk', spoil: head({ jwk: undefined }) },
  { row: 32, name: 'a private jwk', reason: 'private_key_sent', spoil: head({ jwk: { ...rsa.jwk, d: 'AQ' } }) },
  { row: 32, name: 'an oct jwk', reason: 'private_key_sent', spoil: head({ jwk: { kty: 'oct', k: 'AQ' } }) },
  { row: 32, name: 'signed by another key', reason: 'jws_signature', spoil: head({ jwk: testKey('ES256').jwk }) },
  ...['jti', 'htm', 'htu', 'iat'].flatMap(name => [
    { row: 33, name: `no ${name}`, reason: `dpop_${name}`, spoil: claims({ [name]: undefined }) },
    {
      row: 33,
      name: `${name} an array`,
      reason: name === 'iat' ? 'time_not_integer' : `dpop_${name}`,
      spoil: claims({ [name]: ['x'] }),
    },
  ]),
  { row: 33, name: 'iat text', reason: 'time_not_integer', spoil: claims({ iat: '1' }) },
  { row: 34, name: 'GET', reason: 'dpop_htm', spoil: claims({ htm: 'GET' }) },
  { row: 34, name: 'post', reason: 'dpop_htm', spoil: claims({ htm: 'post' }) },
  ...[
    `${issuer}/intent/token`,
    `https://${origin}/oauth/token`,
    'http://evil.example.com/oauth/token',
    `http://user@${origin}/oauth/token`,
    `${issuer}/oauth/%2e%2e/oauth//token`,
    `${issuer}//oauth/token`,
    `${issuer}/oauth/token/`,
    `${issuer}\\oauth\\token`,
    `${issuer}/oauth/tok\u0435n`,
  ].map(htu => ({ row: 35, name: htu, reason: 'dpop_htu', spoil: claims({ htu }) })),
  { row: 37, name: 'an hour ago', reason: 'dpop_iat', spoil: claims({ iat: now() - 3600 }) },
  { row: 37, name: 'an hour ahead', reason: 'dpop_iat', spoil: claims({ iat: now() + 3600 }) },
  { row: 37, name: 'its exp has passed', reason: 'dpop_exp', spoil: claims({ exp: now() - 1 }) },
  { row: 37, name: 'its nbf lies ahead', reason: 'dpop_nbf', spoil: claims({ nbf: now() + 60 }) },
  {
    row: 49,
    name: 'padded coordinates',
    reason: 'weak_or_unknown_key',
    spoil: a => head({ jwk: { ...a.proof?.key.jwk, x: `${a.proof?.key.jwk.x}=` } })(a),
  },
  {
    row: 49,
    name: 'a coordinate of 33 bytes',
    reason: 'weak_or_unknown_key',
    spoil: a => head({ jwk: { ...a.proof?.key.jwk, x: long(a) } })(a),
  },
]

for (const [row, cases] of Map.groupBy(CASES, one => one.row)) {
  test(`[attack ${row}] a DPoP proof is refused for: ${cases.map(one => one.name).join('; ')}`, async () => {
    for (const { name, spoil, reason } of cases) {
      const attempt = clientCredentials(world)
      spoil(attempt)
      await refused(world, attempt, { ...REFUSED, reason }, clientCredentials(world)).catch(error => {
        throw new Error(`${name}: ${error.message}`, { cause: error })
      })
    }
  })
}

test('[attack 35] htu in another case, with its default form, query or fragment is the same (RFC 9449 section 4.3)', async () => {
  const htu = `${issuer}/oauth/token`
  for (const spelling of [htu.replace('http:', 'HTTP:'), `${htu}?x=1`, `${htu}#x`]) {
    const attempt = clientCredentials(world)
    claims({ htu: spelling })(attempt)
    assert.equal((await send(world, attempt)).status, 200, spelling)
  }
})

test('[attack 36] htu is compared with the configured URL, whatever Host says', async () => {
  const attempt = clientCredentials(world)
  claims({ htu: 'http://evil.example.com/oauth/token' })(attempt)
  attempt.headers = { 'X-Forwarded-Host': 'evil.example.com', Forwarded: 'host=evil.example.com' }
  await refused(world, attempt, { ...REFUSED, reason: 'dpop_htu' }, clientCredentials(world))
})

test('[attack 37] a proof of 10 s ahead or 60 s ago is fresh (protocol.md section 3)', async () => {
  for (const iat of [now() + 10, now() - 60]) {
    const attempt = clientCredentials(world)
    claims({ iat })(attempt)
    assert.equal((await send(world, attempt)).status, 200)
  }
})

test('[attack 38] a proof is taken once, at both token endpoints (RFC 9449 section 11.1)', async () => {
  for (const path of ['/oauth/token', '/intent/token'] as const) {
    const first = agentGrant(world, path, world.solo)
    assert.equal((await send(world, first)).status, 200)
    const again = { ...agentGrant(world, path, world.solo), proof: first.proof }
    const expected = { ...REFUSED, audited: true, reason: 'dpop_replayed' }
    await refused(world, again, expected, agentGrant(world, path, world.solo))
  }
})

test('[attack 38] a refused request has used its proof, and a used proof answers before every other cause (section 3)', async () => {
  const tooMuch = clientCredentials(world)
  tooMuch.params.scope = 'write'
  const expected = { status: 400, error: 'invalid_scope', reason: 'invalid_scope', audited: true }
  await refused(world, tooMuch, expected, clientCredentials(world))
  const again = { ...clientCredentials(world), proof: tooMuch.proof }
  again.params.scope = 'write'
  await refused(world, again, { ...REFUSED, audited: true, reason: 'dpop_replayed' }, clientCredentials(world))
})

test('[attack 39] one proof at two nodes at once mints once, in each of 100 rounds', async () => {
  const node = await startNode(world)
  const before = await tokenCount(world)
  for (let round = 0; round < 100; round += 1) {
    const { proof } = clientCredentials(world)
    const attempt = () => ({ ...clientCredentials(world), proof })
    const answers = await Promise.all([send(world, attempt()), send(world, attempt(), node.port)])
    assert.deepEqual(outcomes(answers), ['200', '400 invalid_dpop_proof'], `round ${round}`)
  }
  await node.close()
  assert.equal((await tokenCount(world)) - before, 100)
})

test('[attack 40] a proof from the edge of the future stays taken until it is stale', async () => {
  const own = await givenWorld()
  const first = clientCredentials(own)
  Object.assign(first.proof?.payload ?? {}, { iat: own.app.clock.seconds() + 10 })
  assert.equal((await send(own, first)).status, 200)
  // A store that counts from now would forget it after 60 s; the proof itself is fresh for 70 s.
  for (const step of [60, 5, 5]) {
    own.app.clock.advance(step)
    const again = { ...clientCredentials(own), proof: first.proof }
    const expected = { ...REFUSED, audited: true, reason: 'dpop_replayed' }
    await refused(own, again, expected, clientCredentials(own))
  }
  own.app.clock.advance(1)
  const stale = { ...clientCredentials(own), proof: first.proof }
  await refused(own, stale, { ...REFUSED, reason: 'dpop_iat' }, clientCredentials(own))
})

test('[attack 41] a jti burnt under another key is free for this one (key is jkt and jti)', async () => {
  const jti = 'the-jti-of-the-victim'
  for (const key of [testKey('ES256'), testKey('EdDSA')]) {
    const proof = proofOf(world, key, '/oauth/token')
    proof.payload.jti = jti
    assert.equal((await send(world, { ...clientCredentials(world), proof })).status, 200)
  }
})

test('[attack 42] a proof stays taken when the server is started again on the same database', async () => {
  const first = clientCredentials(world)
  const node = await startNode(world)
  assert.equal((await send(world, first, node.port)).status, 200)
  await node.close()
  const again = await startNode(world)
  const answer = await send(world, { ...clientCredentials(world), proof: first.proof }, again.port)
  await again.close()
  assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_dpop_proof'])
})

test('[attack 43] RETURNING decides what is fresh, and a refused claim says so (CVE-2026-90997)', async () => {
  const expires_at = new Date(clock.now().getTime() + 60_000)
  const proof: ReplayClaim = { kind: 'dpop', owner: 'jkt-43', jti: 'a', expires_at }
  const assertion: ReplayClaim = { kind: 'client_assertion', owner: 'app-43', jti: 'a', expires_at }
  assert.deepEqual(await claimReplays(ctx, [proof]), [])
  assert.deepEqual(await claimReplays(ctx, [proof]), ['dpop'])
  assert.deepEqual(await claimReplays(ctx, [proof, assertion]), ['dpop'])
  assert.deepEqual(await claimReplays(ctx, [assertion, proof]), ['client_assertion', 'dpop'])
  // What a rolled back transaction claimed is free again.
  const rolledBack: ReplayClaim = { ...proof, jti: 'b' }
  await assert.rejects(
    transaction(ctx, async tx => {
      await claimReplays(tx, [rolledBack])
      throw new Error('rolled back')
    }),
  )
  assert.deepEqual(await claimReplays(ctx, [rolledBack]), [])
})

test('[attack 43] a replay store that fails answers 503, never fresh', async () => {
  const own = await givenWorld()
  await loseStorage(own.ctx)
  const away = await send(own, clientCredentials(own))
  assert.deepEqual([away.status, away.body.error], [503, 'temporarily_unavailable'])
  assert.match(String(away.headers['retry-after']), /^\d+$/)
})

test('[attack 44] a nonce that is forged, old, of another kind or not NQCHAR is answered with a good one (RFC 9449 section 8)', async () => {
  const key = ctx.keys.dpopNonceKey
  const nonces: readonly [unknown, Omit<Expected, 'audited' | 'status'>][] = [
    ['forged-nonce', { error: 'use_dpop_nonce', reason: 'dpop_nonce_not_current' }],
    [issueNonce(key, now() - 180), { error: 'use_dpop_nonce', reason: 'dpop_nonce_not_current' }],
    [issueNonce(key, now() + 60), { error: 'use_dpop_nonce', reason: 'dpop_nonce_not_current' }],
    [issueNonce(ctx.keys.cursorKey, now()), { error: 'use_dpop_nonce', reason: 'dpop_nonce_not_current' }],
    ['with space', { error: 'invalid_dpop_proof', reason: 'dpop_nonce' }],
    [1, { error: 'invalid_dpop_proof', reason: 'dpop_nonce' }],
  ]
  for (const [nonce, expected] of nonces) {
    const attempt = clientCredentials(world)
    claims({ nonce })(attempt)
    const answer = await refused(world, attempt, { status: 400, audited: false, ...expected }, clientCredentials(world))
    const retry = clientCredentials(world)
    claims({ nonce: answer.headers['dpop-nonce'] })(retry)
    assert.equal((await send(world, retry)).status, 200)
  }
  for (const age of [0, 60, 120]) {
    const attempt = clientCredentials(world)
    claims({ nonce: issueNonce(key, now() - age) })(attempt)
    const answer = await send(world, attempt)
    assert.equal(answer.status, 200, String(age))
    assert.match(String(answer.headers['dpop-nonce']), /^[\x21\x23-\x5b\x5d-\x7e]+$/)
  }
})

test('[attack 44] [attack 48] a client of policy dpop_nonce gets nothing for a proof made ahead (RFC 9449 section 11.2)', async () => {
  const client = await givenClient(ctx, undefined, { policies: { dpop_nonce: 'required' } })
  const withNonce = () => {
    const attempt = clientCredentials(world, client)
    claims({ nonce: issueNonce(ctx.keys.dpopNonceKey, now()) })(attempt)
    return attempt
  }
  const expected = { status: 400, error: 'use_dpop_nonce', reason: 'dpop_nonce_missing', audited: true }
  const answer = await refused(world, clientCredentials(world, client), expected, withNonce())
  await refused(world, { ...clientCredentials(world, client), proof: undefined }, expected, withNonce())
  const offered = String(answer.headers['dpop-nonce'])
  assert.equal(offered, issueNonce(ctx.keys.dpopNonceKey, now()))
})

test('[attack 45] the proof key is the one registered for the agent, at both endpoints', async () => {
  for (const path of ['/oauth/token', '/intent/token'] as const) {
    for (const key of [testKey('ES256'), world.client.dpopKey, world.planner.key]) {
      const attempt = { ...agentGrant(world, path, world.solo), proof: proofOf(world, key, path) }
      const expected = { ...REFUSED, audited: true, ajwt_error: 'agent_key_mismatch', reason: 'agent_key_mismatch' }
      await refused(world, attempt, expected, agentGrant(world, path, world.solo))
    }
  }
})

test('[attack 45] who names my key as its agent’s does not shut me out; a key of my own agent is refused (section 3)', async () => {
  const mine = testKey('ES256')
  const client = { ...(await givenClient(ctx)), dpopKey: mine }
  await givenAgent(ctx, await givenClient(ctx), 'squatter', { key: mine })
  assert.equal((await send(world, clientCredentials(world, client))).status, 200)
  const { key } = await givenAgent(ctx, client, 'own')
  const attempt = clientCredentials(world, { ...client, dpopKey: key })
  const expected = { ...REFUSED, audited: true, reason: 'agent_key_for_client' }
  await refused(world, attempt, expected, clientCredentials(world, client))
})

test('[attack 45] a removed key of the agent proves nothing any more', async () => {
  const agent = await givenAgent(ctx, world.client, 'rekeyed')
  const jkt = await thumbprint(agent.key)
  await ctx.db.updateTable('agent_key').set({ removed_at: clock.now() }).where('jkt', '=', jkt).execute()
  const expected = { ...REFUSED, audited: true, ajwt_error: 'agent_key_mismatch', reason: 'agent_key_mismatch' }
  await refused(
    world,
    agentGrant(world, '/oauth/token', agent),
    expected,
    agentGrant(world, '/oauth/token', world.solo),
  )
})

test('[attack 46] no unbound token where policy demands binding (protocol.md sections 3 and 6)', async () => {
  const due = { ...REFUSED, audited: true, reason: 'proof_required' } as const
  const unbound = { ...clientCredentials(world), proof: undefined }
  await refused(world, unbound, due, clientCredentials(world))

  const agent = { ...agentGrant(world, '/intent/token', world.solo), proof: undefined }
  const mismatch = { ...due, ajwt_error: 'agent_key_mismatch' }
  await refused(world, agent, mismatch, agentGrant(world, '/intent/token', world.solo))

  // Either side alone does not lift it: the API must allow Bearer, and the client.
  const open = 'https://open.example.com'
  await givenResource(ctx, { resource: open, scopes: [{ name: 'read' }], allow_bearer: true })
  const access = [{ resource: open, scope: 'read' }]
  const careful = await givenClient(ctx, undefined, { access })
  const careless = await givenClient(ctx, undefined, {
    access: [...access, { resource: world.app.ctx.config.issuer, scope: 'read:agents' }],
    policies: { allow_bearer: true },
  })
  const bearer = (client = careless) => {
    const attempt = { ...clientCredentials(world, client), proof: undefined }
    attempt.params.resource = open
    return attempt
  }
  await refused(world, bearer(careful), due, bearer())
})

test('[attack 46] policy agent_proof optional lifts the proof, not the binding of a draft token (section 6)', async () => {
  const client = await givenClient(ctx, undefined, { policies: { agent_proof: 'optional' } })
  const agent = await givenAgent(ctx, client, 'draft-agent')
  const ask = (audience: string) => {
    const attempt = { ...agentGrant(world, '/intent/token', agent), proof: undefined }
    attempt.params.audience = audience
    return attempt
  }
  const answer = await send(world, ask(DRAFT_API))
  assert.deepEqual([answer.status, answer.body.token_type], [200, 'Bearer'])
  const { sub, cnf, agent_proof } = claimsOf(answer)
  assert.deepEqual([sub, cnf, agent_proof.key], ['draft-agent', { jwk: agent.key.jwk }, 'none'])

  // An interop token would be unbound, which nobody allowed; and a proof that is sent is the agent's own.
  const due = { ...REFUSED, audited: true, reason: 'proof_required' }
  await refused(world, ask(READ_API), due, ask(DRAFT_API))
  const foreign = { ...ask(DRAFT_API), proof: proofOf(world, world.planner.key, '/intent/token') }
  const mismatch = { ...REFUSED, audited: true, ajwt_error: 'agent_key_mismatch', reason: 'agent_key_mismatch' }
  await refused(world, foreign, mismatch, ask(DRAFT_API))

  // With none or several registered keys there is none to carry.
  const keyless = { ...mismatch, reason: 'no_single_key' }
  const extra = { jkt: 'a-second-key', jwk: JSON.stringify({ kty: 'EC' }), source: 'registered' } as const
  const times = { added_at: clock.now(), expires_at: null, removed_at: null }
  const owner = { client_id: client.client_id, agent_id: agent.agent_id }
  await ctx.db
    .insertInto('agent_key')
    .values({ ...extra, ...times, ...owner })
    .execute()
  await refused(world, ask(DRAFT_API), keyless, clientCredentials(world))
  await ctx.db.updateTable('agent_key').set({ removed_at: clock.now() }).where('agent_id', '=', 'draft-agent').execute()
  await refused(world, ask(DRAFT_API), keyless, clientCredentials(world))
})

test('[attack 47] [attack 25] two Authorization headers are refused (RFC 9110 section 5.3)', async () => {
  const attempt = clientCredentials(world)
  attempt.assertion = undefined
  attempt.extraHeaders = ['Authorization', 'Basic YTpi', 'Authorization', 'Basic YTpi']
  const expected = { status: 400, error: 'invalid_request', reason: 'authorization_header', audited: false }
  await refused(world, attempt, expected, clientCredentials(world))
})

test('[attack 47] a DPoP-bound token does not stand for a client, in any letter case of the scheme (section 6)', async () => {
  for (const scheme of ['DPoP', 'dpop', 'DPOP']) {
    const attempt = { ...agentGrant(world, '/intent/token', world.solo), assertion: undefined }
    attempt.headers = { Authorization: `${scheme} abc` }
    const expected = { status: 401, error: 'invalid_token', reason: 'bound_client_token', audited: false }
    await refused(world, attempt, expected, agentGrant(world, '/intent/token', world.solo))
  }
})

test('[attack 49] a jwk with more members, in another order, has the same jkt (RFC 7638)', async () => {
  const { kty, crv, x, y } = world.solo.key.jwk
  for (const jwk of [
    { y, x, crv, kty },
    { kty, crv, x, y, kid: 'a', use: 'sig', extra: { a: 1 } },
  ]) {
    const attempt = agentGrant(world, '/oauth/token', world.solo)
    head({ jwk })(attempt)
    const answer = await send(world, attempt)
    assert.equal(answer.status, 200, answer.text)
    const [, payload = ''] = String(answer.body.access_token).split('.')
    const { cnf } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    assert.deepEqual(cnf, { jkt: await thumbprint(world.solo.key) })
  }
})

function claimsOf({ body }: Answer) {
  const [, payload = ''] = String(body.access_token).split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}

function long({ proof }: Attempt): string {
  return base64url(Buffer.concat([Buffer.of(0), Buffer.from(String(proof?.key.jwk.x), 'base64url')]))
}

function outcomes(answers: readonly Answer[]): string[] {
  return answers.map(({ status, body }) => (status === 200 ? '200' : `${status} ${body.error}`)).sort()
}
