import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AGENT_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { transaction } from '../../src/server/context.ts'
import { changeTrustedIssuer } from '../../src/server/registry/trusted-issuer-changes.ts'
import { caller } from '../registry/given.ts'
import { generateKey, signAssertion, signProof } from '../support/dpop.ts'
import { accessToken, type GivenClient, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { givenWorkflow } from '../support/recorded.ts'
import { ACCESS_TOKEN_TYPE, catchUp, exchange, ID_TOKEN_TYPE } from './foreign.ts'
import { API, APPROVES, givenForeignScene } from './foreign-scene.ts'

const { app, idp, desk, shop, sent, signIn, job, lastMint } = await givenForeignScene()
const { issuer, ctx, clock } = app
const ADMIN = `${issuer}/admin`

test('a person of a trusted issuer gets a short admin token by its ID token (RFC 8693 section 2.2.1, section 6 (b))', async () => {
  const subject_token = await signIn('eve')
  const parameters = { subject_token, subject_token_type: ID_TOKEN_TYPE, scope: APPROVES, resource: ADMIN }
  const { status, body, access_token, claims } = await exchange(app, desk, parameters)
  assert.equal(status, 200, JSON.stringify(body))
  assert.ok(Number(body.expires_in) > 200 && Number(body.expires_in) <= 300)
  assert.deepEqual(body, {
    access_token,
    issued_token_type: ACCESS_TOKEN_TYPE,
    token_type: 'DPoP',
    expires_in: body.expires_in,
    scope: APPROVES,
  })
  const { exp, iat, jti, ...said } = claims ?? { exp: 0, iat: 0, jti: '' }
  assert.deepEqual(said, {
    iss: issuer,
    aud: ADMIN,
    client_id: desk.client_id,
    sub: 'user:staff:eve',
    sub_profile: 'user',
    scope: APPROVES,
    cnf: { jkt: desk.dpopKey.jkt },
  })
  assert.deepEqual([exp - iat, iat, jti.length], [body.expires_in, clock.seconds(), 22])
  const { outcome, actor, client_id, details } = await lastMint()
  assert.deepEqual([outcome, actor, client_id], ['success', 'user:staff:eve', desk.client_id])
  assert.equal(details.grant, 'token_exchange')
})

test('scope lies within the client’s access and the issuer’s, refused and not narrowed; no other audience', async () => {
  const subject_token = await signIn('eve')
  const cases: readonly [Record<string, string>, string, string?][] = [
    [{ scope: `${APPROVES} revoke`, resource: ADMIN }, 'invalid_scope', 'the issuer gives no revoke'],
    [{ scope: 'revoke', resource: ADMIN }, 'invalid_scope'],
    [{ scope: 'revoke' }, 'invalid_target'],
    [{ scope: 'approve:agents', resource: issuer }, 'invalid_target', 'the issuer gives nothing there'],
    [{ scope: 'read', resource: API }, 'invalid_target'],
    [{ scope: '', resource: ADMIN }, 'invalid_scope'],
    [{ resource: ADMIN }, 'invalid_scope'],
  ]
  for (const [parameters, error, why] of cases) {
    const { status, body } = await exchange(app, desk, { subject_token, ...parameters })
    assert.deepEqual([status, body.error], [400, error], why ?? error)
  }
  const narrow = await givenAdmin(app, {
    grant_types: [TOKEN_EXCHANGE_GRANT],
    access: [{ resource: ADMIN, scope: 'approve:agents' }],
  })
  const clients = [desk.client_id, narrow.client_id]
  await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), 'staff', { clients }))
  const within = await exchange(app, narrow, { subject_token, scope: 'approve:agents' })
  const beyond = await exchange(app, narrow, { subject_token, scope: 'approve:steps', resource: ADMIN })
  assert.deepEqual([within.status, beyond.body.error], [200, 'invalid_scope'])
  const none = await exchange(app, desk, { subject_token: await signIn('anna'), scope: 'approve:agents' })
  assert.equal(none.body.error, 'invalid_target', 'her groups give her nothing')
})

test('[attack 131] the wrong tenant, a sign-in of too little worth, another app’s token, a fork’s job: 400', async () => {
  const wrong: readonly [string, GivenClient, string][] = [
    [await signIn('mallory'), desk, 'approve:agents'],
    [await signIn('eve', 'desk', 'urn:example:password'), desk, 'approve:agents'],
    [await idp.signIn('eve', 'desk'), desk, 'approve:agents'],
    [await signIn('eve', 'shop'), desk, 'approve:agents'],
    [await job('ci-fork'), shop, 'register:intent'],
    [await idp.workloadToken('ci-main', 'https://elsewhere.example'), shop, 'register:intent'],
    [await job(), desk, 'approve:agents'],
  ]
  for (const [subject_token, client, scope] of wrong) {
    const { status, body } = await exchange(app, client, { subject_token, scope })
    assert.deepEqual([status, body.error], [400, 'invalid_request'])
    assert.equal(body.error_description, 'The subject token is not one that is accepted here.')
    const { outcome, actor } = await lastMint()
    assert.deepEqual([outcome, actor], ['refused', client.client_id])
  }
})

test('[attack 131] a workload token that is bound serves only with a proof by its key (RFC 9449 section 6.1)', async () => {
  const key = await generateKey()
  const proof = await signProof(key, { htu: idp.token_endpoint, iat: Math.floor(Date.now() / 1000) })
  const subject_token = await idp.workloadToken('ci-main', issuer, proof)
  catchUp(app)
  const parameters = { subject_token, scope: 'register:intent' }
  for (const proofKey of [undefined, shop.dpopKey]) {
    const { status, body } = await exchange(app, shop, parameters, { proofKey })
    assert.deepEqual([status, body.error], [400, 'invalid_request'])
    assert.equal((await lastMint()).reason, 'subject_token_unproven')
  }
  const { claims } = await exchange(app, shop, parameters, { proofKey: key })
  assert.deepEqual(claims?.cnf, { jkt: key.jkt })
})

test('[attack 50] a user’s token and our own tokens are no subject of a client-level token', async () => {
  const user = await exchange(app, shop, { subject_token: await signIn('anna', 'shop'), scope: 'register:intent' })
  assert.deepEqual([user.status, user.body.error], [400, 'invalid_request'])
  const own = await accessToken(app, shop, { resource: issuer, scope: 'register:intent' })
  const again = await exchange(app, shop, { subject_token: own, scope: 'register:intent' })
  assert.deepEqual([again.status, again.body.error], [400, 'invalid_request'])
  assert.equal((await lastMint()).reason, 'subject_token_own')
})

test('[attack 51] [attack 52] an actor_token is refused, whatever it is, and nothing is minted', async () => {
  const parameters = { subject_token: await job(), scope: 'register:intent' }
  for (const [name, value] of [
    ['actor_token', await job()],
    ['actor_token_type', ACCESS_TOKEN_TYPE],
  ] as const) {
    const { status, body, access_token } = await exchange(app, shop, { ...parameters, [name]: value })
    assert.deepEqual([status, body.error, access_token], [400, 'invalid_request', ''])
  }
})

test('[attack 61] nobody picks the subject: requested_subject, sub and login_hint change nothing', async () => {
  const wish = { requested_subject: 'user:staff:anna', sub: 'user:ci:root', login_hint: 'root' }
  const { claims } = await exchange(app, shop, { subject_token: await job(), scope: 'register:intent', ...wish })
  assert.equal(claims?.sub, 'user:ci:ci-main')
})

test('the proof key is the client’s own choice, never an agent’s, and an admin token is bound (section 3)', async () => {
  const open = await givenClient(app, { grant_types: [TOKEN_EXCHANGE_GRANT] })
  const agent = await givenAgent(app, open, 'keyed')
  const clients = [shop.client_id, open.client_id]
  await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), 'ci', { clients }))
  const parameters = { subject_token: await job(), scope: 'register:intent' }
  const byAgent = await exchange(app, open, parameters, { proofKey: agent.key })
  assert.equal(byAgent.body.error, 'invalid_dpop_proof')
  assert.equal((await lastMint()).reason, 'agent_key_for_client')
  const bearer = await exchange(app, open, parameters, {})
  assert.deepEqual([bearer.status, bearer.body.token_type], [200, 'Bearer'])
  const unbound = await exchange(app, desk, { subject_token: await signIn('eve'), scope: 'approve:agents' }, {})
  assert.equal(unbound.body.error, 'invalid_dpop_proof')
})

test('a client without the grant in its record exchanges nothing, whoever trusts it', async () => {
  const plain = await givenAdmin(app)
  const clients = [desk.client_id, plain.client_id]
  await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), 'staff', { clients }))
  const { body } = await exchange(app, plain, { subject_token: await signIn('eve'), scope: 'approve:agents' })
  assert.equal(body.error, 'unauthorized_client')
})

test('an agent’s exchange needs both grants in the client’s record, a client’s own only its own (section 6, row 3)', async () => {
  const given = async (grant_types: readonly string[]) => {
    const client = await givenClient(app, {
      grant_types,
      access: [
        { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
        { resource: API, scope: 'read' },
      ],
    })
    const agent = await givenAgent(app, client, 'planner', { grant: { access: [{ resource: API, scope: 'read' }] } })
    await givenWorkflow(app, client, 'flow', [{ step_id: 'plan', agent_id: 'planner' }])
    return { client, agent }
  }
  const exchangesOnly = await given([TOKEN_EXCHANGE_GRANT])
  const both = await given([TOKEN_EXCHANGE_GRANT, AGENT_GRANT])
  const clients = [shop, exchangesOnly.client, both.client].map(client => client.client_id)
  for (const name of ['corp', 'ci']) {
    await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), name, { clients }))
  }
  const asAgent = async ({ client, agent }: typeof both) => {
    const step = { agent_id: 'planner', computed_checksum: `sha256:${agent.checksum}` }
    const named = { workflow_id: 'flow', workflow_step: 'plan', scope: 'read', resource: API }
    const subject_token = await signIn('anna', 'shop')
    return await exchange(app, client, { subject_token, ...step, ...named }, { proofKey: agent.key })
  }
  const { status, body } = await asAgent(exchangesOnly)
  assert.deepEqual([status, body.error], [400, 'unauthorized_client'])
  const { client_id, outcome, reason } = await lastMint()
  assert.deepEqual([client_id, outcome, reason], [exchangesOnly.client.client_id, 'refused', 'unauthorized_client'])
  const own = { subject_token: await job(), scope: 'register:intent' }
  assert.equal((await exchange(app, exchangesOnly.client, own)).status, 200)
  const good = await asAgent(both)
  assert.deepEqual([good.status, good.claims?.sub], [200, 'user:corp:anna'], JSON.stringify(good.body))
})

test('a proof and an assertion serve one exchange; the subject token serves again while it lives', async () => {
  const subject_token = await job()
  const iat = clock.seconds()
  const htu = `${issuer}/oauth/token`
  const { client_id, key, dpopKey } = shop
  const assertion = await signAssertion(key, { client_id, issuer, iat })
  const proof = await signProof(dpopKey, { htu, iat })
  const ask = async (client_assertion: string, dpop: string) => {
    const body = new URLSearchParams({
      ...{ grant_type: TOKEN_EXCHANGE_GRANT, subject_token, subject_token_type: ACCESS_TOKEN_TYPE },
      ...{ scope: 'register:intent', client_assertion },
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    return await jsonOf(await fetch(htu, { method: 'POST', headers: { dpop }, body }))
  }
  assert.equal((await ask(assertion, proof)).token_type, 'DPoP')
  const other = await signAssertion(key, { client_id, issuer, iat })
  assert.equal((await ask(assertion, await signProof(dpopKey, { htu, iat }))).error, 'invalid_client')
  assert.equal((await ask(other, proof)).error, 'invalid_dpop_proof')
  assert.equal((await exchange(app, shop, { subject_token, scope: 'register:intent' })).status, 200)
})

test('an exchanged token ends no later than the foreign one that it rests on (section 6)', async () => {
  const subject_token = await signIn('eve')
  clock.advance(200)
  const { claims } = await exchange(app, desk, { subject_token, scope: APPROVES })
  const foreign = JSON.parse(Buffer.from(subject_token.split('.')[1] ?? '', 'base64url').toString())
  assert.equal(claims?.exp, foreign.exp)
})

test('[attack 111] no foreign token is in a log line or an audit row, whether it was taken or refused', async () => {
  assert.ok(sent.length > 8)
  const rows = await ctx.db.selectFrom('audit_event').selectAll().execute()
  const kept = [...app.log, ...rows.map(row => JSON.stringify(row))].join('\n')
  for (const token of sent) {
    for (const part of token.split('.')) assert.equal(kept.includes(part) && part.length > 80, false)
  }
})
