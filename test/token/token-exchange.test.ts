import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startForeignIssuer } from '../../demo/foreign-issuer.ts'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import type { ClientUpdate } from '../../src/protocol/client.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { transaction } from '../../src/server/context.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { changeClient } from '../../src/server/registry/client-update.ts'
import { createRevocation } from '../../src/server/registry/revocations.ts'
import { changeTrustedIssuer, deleteTrustedIssuer } from '../../src/server/registry/trusted-issuer-changes.ts'
import { caller } from '../registry/given.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey, signAssertion, signProof } from '../support/dpop.ts'
import {
  accessToken,
  boundHeaders,
  type GivenClient,
  givenAdmin,
  givenAgent,
  givenClient,
  givenResource,
} from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { givenWorkflow, mint } from '../support/recorded.ts'
import { ACCESS_TOKEN_TYPE, catchUp, exchange, foreignToken, givenTrustedIssuer, ID_TOKEN_TYPE } from './foreign.ts'

const app = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: '1' } })
const { issuer, adminUrl, ctx, clock } = app
const ADMIN = `${issuer}/admin`
const API = 'https://api.example.com'
const APPROVES = 'approve:agents approve:steps'
const MFA = 'urn:example:two-factors'

const idp = await startForeignIssuer({
  people: {
    eve: { tid: 'acme', groups: ['approvers'] },
    anna: { tid: 'acme', groups: ['users'] },
    mallory: { tid: 'other', groups: ['approvers'] },
  },
  applications: [
    { client_id: 'desk' },
    { client_id: 'shop' },
    { client_id: 'ci-main', workload: { repository: 'acme/agents' } },
    { client_id: 'ci-fork', workload: { repository: 'mallory/agents' } },
  ],
})
after(idp.close)

await givenResource(app, { resource: API, scopes: [{ name: 'read' }, { name: 'write' }] })
/** Acts for whoever logs in, and has nothing of its own. */
const desk = await givenAdmin(app, { grant_types: [TOKEN_EXCHANGE_GRANT] })
const shop = await givenClient(app, {
  grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, TOKEN_EXCHANGE_GRANT],
  policies: { require_approval: true },
  access: [
    { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
    { resource: API, scope: 'read write' },
  ],
})
const any = await generateKey()
const common = { issuer: idp.issuer, jwks: undefined, jwks_uri: idp.jwks_uri, algs: ['ES256'], typ_may_be_absent: true }
await givenTrustedIssuer(app, any, {
  ...common,
  ...{ name: 'staff', purpose: 'operator', audience: 'desk', clients: [desk.client_id], claims: { tid: 'acme' } },
  acr_values: [MFA],
  access_by_claim: [{ claim: 'groups', value: 'approvers', access: [{ resource: ADMIN, scope: APPROVES }] }],
})
await givenTrustedIssuer(app, any, {
  ...common,
  ...{ name: 'ci', purpose: 'workload', audience: issuer, clients: [shop.client_id], typs: ['at+jwt'] },
  claims: { repository: 'acme/agents' },
  access: [{ resource: issuer, scope: 'register:intent' }],
})
await givenTrustedIssuer(app, any, {
  ...common,
  ...{ name: 'corp', purpose: 'user', audience: 'shop', clients: [shop.client_id] },
})

async function signIn(person: string, client_id = 'desk', acr: string | undefined = MFA): Promise<string> {
  const token = await idp.signIn(person, client_id, acr)
  catchUp(app)
  return token
}

async function job(name = 'ci-main'): Promise<string> {
  const token = await idp.workloadToken(name, issuer)
  catchUp(app)
  return token
}

async function lastMint() {
  return await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason', 'actor', 'client_id', 'details'])
    .where('action', '=', 'token.issue')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
}

/** One call with a bound token, as its holder. */
async function call(client: GivenClient, token: string, method: string, url: string, body?: object) {
  const bound = await boundHeaders(app, client, token, { method, url })
  const headers: Record<string, string> = { ...bound, ...(body && { 'content-type': 'application/json' }) }
  const response = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  return { status: response.status, body: await jsonOf(response) }
}

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

test('a CI job registers by its own token, a person approves by theirs; neither mints (sections 4 and 6)', async () => {
  const registering = { subject_token: await job(), subject_token_type: ACCESS_TOKEN_TYPE, scope: 'register:intent' }
  const worker = await exchange(app, shop, registering)
  assert.equal(worker.status, 200, JSON.stringify(worker.body))
  const { sub, sub_profile, aud } = worker.claims ?? {}
  assert.deepEqual([sub, sub_profile, aud], ['user:ci:ci-main', 'workload', issuer])
  const agent = { app_id: shop.client_id, agent_components: { agent_id: 'a', prompt_template: 'A.', tools: [] } }
  const made = await call(shop, worker.access_token, 'POST', `${issuer}/intent/register/agent`, agent)
  assert.deepEqual([made.status, made.body.status], [200, 'pending'], JSON.stringify(made.body))
  const { registration_id, checksum } = made.body
  const row = await ctx.db
    .selectFrom('registration')
    .select(['registered_by', 'registered_owner'])
    .where('registration_id', '=', String(registration_id))
    .executeTakeFirstOrThrow()
  assert.deepEqual(row, { registered_by: 'user:ci:ci-main', registered_owner: 'user:ci:ci-main' })

  const approver = await exchange(app, desk, { subject_token: await signIn('eve'), scope: 'approve:agents' })
  const url = `${adminUrl}/admin/v1/agents/${shop.client_id}/a/approve`
  const approved = await call(desk, approver.access_token, 'POST', url, { registration_id, checksum })
  assert.deepEqual([approved.status, approved.body.status], [200, 'active'], JSON.stringify(approved.body))
  const act = await ctx.db
    .selectFrom('audit_event')
    .select(['actor', 'details'])
    .where('action', '=', 'agent.approve')
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow()
  assert.deepEqual(
    [act.actor, act.details.acting_owner, act.details.caller],
    ['user:staff:eve', 'user:staff:eve', desk.client_id],
  )
})

test('an exchanged token is never a client’s own: it mints nothing at /intent/token (section 6)', async () => {
  const open = await givenClient(app, { grant_types: [TOKEN_EXCHANGE_GRANT, AGENT_GRANT] })
  const scope = 'generate:intent-token'
  const record = { name: 'mint', purpose: 'workload', audience: 'mint', clients: [open.client_id], claims: { a: 1 } }
  await givenTrustedIssuer(app, any, {
    ...record,
    issuer: 'https://mint.example',
    access: [{ resource: issuer, scope }],
  })
  const subject_token = await foreignToken(app, any, { iss: 'https://mint.example', aud: 'mint', a: 1 })
  const { body, access_token } = await exchange(app, open, { subject_token, scope }, {})
  assert.deepEqual([body.token_type, body.scope], ['Bearer', scope])
  const response = await fetch(`${issuer}/intent/token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ grant_type: AGENT_GRANT, agent_id: 'a', computed_checksum: 'a'.repeat(64) },
      ...{ requested_scopes: ['read'], audience: API },
    }),
  })
  assert.equal(response.status, 401)
  assert.equal((await jsonOf(response)).error, 'invalid_token')
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

test('what carries a person ends at once: the record, its client list, its access, the grant, the person', async () => {
  const own = await givenAdmin(app, { grant_types: [TOKEN_EXCHANGE_GRANT] })
  const record = { ...common, purpose: 'operator', audience: 'shop', clients: [own.client_id], claims: { tid: 'acme' } }
  const access = [{ resource: ADMIN, scope: 'audit:read admin:clients' }]
  const url = `${adminUrl}/admin/v1/clients`
  let n = 0
  async function holder(): Promise<{ name: string; list: () => Promise<number>; exchange: () => Promise<number> }> {
    const name = `temp-${n++}`
    await givenTrustedIssuer(app, any, { ...record, name, access, claims: { tid: 'acme' } })
    const parameters = { subject_token: await signIn('anna', 'shop'), scope: 'audit:read admin:clients' }
    const { access_token, status } = await exchange(app, own, parameters)
    assert.equal(status, 200)
    const list = async () => (await call(own, access_token, 'GET', url)).status
    assert.equal(await list(), 200)
    return { name, list, exchange: async () => (await exchange(app, own, parameters)).status }
  }
  const deleted = await holder()
  await transaction(ctx, tx => deleteTrustedIssuer(tx, deleted.name, 'gone'))
  assert.deepEqual([await deleted.list(), await deleted.exchange()], [401, 400])
  const unlisted = await holder()
  await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), unlisted.name, { clients: [shop.client_id] }))
  assert.deepEqual([await unlisted.list(), await unlisted.exchange()], [401, 400])
  const narrowed = await holder()
  const less = [{ resource: ADMIN, scope: 'audit:read' }]
  await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), narrowed.name, { access: less }))
  assert.deepEqual([await narrowed.list(), await narrowed.exchange()], [403, 400])
  await transaction(ctx, tx => deleteTrustedIssuer(tx, narrowed.name, 'next'))
  const revoked = await holder()
  const entry = { kind: 'initiator', id: `user:${revoked.name}:anna`, reason: 'left' } as const
  await transaction(ctx, tx => createRevocation(tx, caller(), entry))
  assert.equal(await revoked.list(), 401)
  assert.equal(await revoked.exchange(), 400)
  await transaction(ctx, tx => deleteTrustedIssuer(tx, revoked.name, 'next'))
  const ungranted = await holder()
  const update = { grant_types: [CLIENT_CREDENTIALS_GRANT] } satisfies ClientUpdate
  await transaction(ctx, tx => changeClient(tx, caller(), own.client_id, update))
  assert.deepEqual([await ungranted.list(), await ungranted.exchange()], [401, 400])
})

test('four eyes see one person behind two records of one issuer (sections 4 and 11)', async () => {
  const both = await givenAdmin(app, { grant_types: [TOKEN_EXCHANGE_GRANT], registers_for: [shop.client_id] })
  const access = [{ resource: ADMIN, scope: ADMIN_SCOPES.join(' ') }]
  const base = { ...common, purpose: 'operator', clients: [both.client_id], claims: { tid: 'acme' }, access }
  await givenTrustedIssuer(app, any, { ...base, name: 'day', audience: 'desk', claims: { tid: 'acme' } })
  await givenTrustedIssuer(app, any, { ...base, name: 'night', audience: 'shop' })
  const agent = { app_id: shop.client_id, agent_components: { agent_id: 'b', prompt_template: 'B.', tools: [] } }
  const asEveByDay = caller({ client_id: shop.client_id, sub: 'user:day:eve', acting_owner: 'user:day:eve' })
  const { body } = await transaction(ctx, tx => registerAgent(tx, asEveByDay, agentRegistrationSchema.parse(agent)))
  const { registration_id, checksum } = body
  const url = `${adminUrl}/admin/v1/agents/${shop.client_id}/b/approve`
  const approve = async (person: string) => {
    const subject_token = await signIn(person, 'shop')
    const { access_token } = await exchange(app, both, { subject_token, scope: 'approve:agents' })
    return await call(both, access_token, 'POST', url, { registration_id, checksum })
  }
  const eve = await approve('eve')
  assert.deepEqual([eve.status, eve.body.code], [403, 'forbidden'], 'user:night:eve is user:day:eve')
  await transaction(ctx, tx => deleteTrustedIssuer(tx, 'day', 'closed'))
  assert.equal((await approve('eve')).status, 403, 'what was deleted still tells who it was')
  assert.equal((await approve('anna')).status, 200)
})

test('a user of the foreign issuer starts an execution, and is the subject of its tokens (section 6 (a))', async () => {
  const grant = { access: [{ resource: API, scope: 'read write' }] }
  const client = await givenClient(app, {
    grant_types: [AGENT_GRANT, TOKEN_EXCHANGE_GRANT],
    access: [{ resource: issuer, scope: 'generate:intent-token' }, ...grant.access],
  })
  const planner = await givenAgent(app, client, 'planner', { grant })
  await givenWorkflow(app, client, 'flow', [{ step_id: 'plan', agent_id: 'planner', required: true }])
  const access_by_claim = [{ claim: 'groups', value: 'users', access: [{ resource: API, scope: 'read' }] }]
  await givenTrustedIssuer(app, any, {
    ...common,
    ...{ name: 'people', audience: 'shop', clients: [client.client_id], access_by_claim },
  })
  const subject_token = await signIn('anna', 'shop')
  const more = { subject_token, subject_token_type: ID_TOKEN_TYPE }
  const ask = { resource: API, scope: 'read', workflow_id: 'flow', step: 'plan', more }
  const { status, body, claims } = await mint(app, client, planner, ask)
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual([claims?.sub, claims?.intent?.initiated_by], ['user:people:anna', 'user:people:anna'])
  const more_than_hers = await mint(app, client, planner, { ...ask, scope: 'write' })
  assert.equal(more_than_hers.body.error, 'invalid_scope')
})

test('an exchanged token ends no later than the foreign one that it rests on (section 6)', async () => {
  const subject_token = await signIn('eve')
  clock.advance(200)
  const { claims } = await exchange(app, desk, { subject_token, scope: APPROVES })
  const foreign = JSON.parse(Buffer.from(subject_token.split('.')[1] ?? '', 'base64url').toString())
  assert.equal(claims?.exp, foreign.exp)
})
