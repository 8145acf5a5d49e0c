import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentRegistrationSchema } from '../../src/protocol/agent.ts'
import type { ClientUpdate } from '../../src/protocol/client.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { transaction } from '../../src/server/context.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { changeClient } from '../../src/server/registry/client-update.ts'
import { findSignedIn, startConsoleSession } from '../../src/server/registry/console-sessions.ts'
import { createRevocation } from '../../src/server/registry/revocations.ts'
import { changeTrustedIssuer, deleteTrustedIssuer } from '../../src/server/registry/trusted-issuer-changes.ts'
import { postLink } from '../console/given.ts'
import { caller } from '../registry/given.ts'
import { generateKey } from '../support/dpop.ts'
import { givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { givenWorkflow, mint } from '../support/recorded.ts'
import { ACCESS_TOKEN_TYPE, exchange, foreignToken, givenTrustedIssuer, ID_TOKEN_TYPE } from './foreign.ts'
import { API, givenForeignScene } from './foreign-scene.ts'

const { app, desk, shop, any, common, signIn, job, call } = await givenForeignScene()
const { issuer, adminUrl, ctx } = app
const ADMIN = `${issuer}/admin`

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
  assert.deepEqual([await narrowed.list(), await narrowed.exchange()], [401, 400])
  await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), narrowed.name, { access }))
  assert.deepEqual([await narrowed.list(), await narrowed.exchange()], [401, 200], 'for good, but not its people')
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

/** A console session of eve, by a record of this name. */
async function givenSession(name: string) {
  const own = await givenAdmin(app, { grant_types: [TOKEN_EXCHANGE_GRANT] })
  await givenTrustedIssuer(app, any, {
    ...common,
    ...{ name, purpose: 'operator', audience: 'shop', clients: [own.client_id], claims: { tid: 'acme' } },
    access: [{ resource: ADMIN, scope: 'audit:read admin:clients' }],
  })
  const parameters = { subject_token: await signIn('eve', 'shop'), scope: 'audit:read admin:clients' }
  const { access_token } = await exchange(app, own, parameters)
  const { url } = await jsonOf(await postLink(app, own, access_token))
  const origin = { request_id: 'r', address: '127.0.0.1' }
  const halves = await startConsoleSession(ctx, String(url).split('#code=')[1] ?? '', origin)
  const { sub, acting_owner, scope } = halves.caller
  assert.deepEqual([sub, acting_owner, scope.length], [`user:${name}:eve`, `user:${name}:eve`, 2])
  const list = async () => (await call(own, access_token, 'GET', `${adminUrl}/admin/v1/clients`)).status
  return { list, isSignedIn: async () => (await findSignedIn(ctx, halves, origin)) !== undefined }
}

test('a person’s console session is theirs, and ends with their issuer (sections 6 and 9)', async () => {
  const { list, isSignedIn } = await givenSession('window')
  assert.deepEqual([await isSignedIn(), await list()], [true, 200])
  await transaction(ctx, tx => deleteTrustedIssuer(tx, 'window', 'closed'))
  assert.deepEqual([await isSignedIn(), await list()], [false, 401])
})

test('what a trusted issuer led to ends when it is tightened: claims, acr or keys (section 9)', async () => {
  const next = await generateKey()
  const updates = [{ claims: { tid: 'acme', amr: 'key' } }, { acr_values: ['key'] }, { jwks: { keys: [next.jwk] } }]
  for (const [n, update] of updates.entries()) {
    const name = `tight-${n}`
    const { list, isSignedIn } = await givenSession(name)
    await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), name, {}))
    assert.deepEqual([await isSignedIn(), await list()], [true, 200], 'nothing was changed')
    await transaction(ctx, tx => changeTrustedIssuer(tx, caller(), name, update))
    assert.deepEqual([await isSignedIn(), await list()], [false, 401], JSON.stringify(update))
    await transaction(ctx, tx => deleteTrustedIssuer(tx, name, 'next'))
  }
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
