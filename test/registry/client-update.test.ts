import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientUpdateSchema } from '../../src/protocol/client.ts'
import { transaction } from '../../src/server/context.ts'
import { changeClient } from '../../src/server/registry/client-update.ts'
import { findClient, revokeClient } from '../../src/server/store/clients.ts'
import { enterGateExclusive, enterGateShared } from '../../src/server/store/gate.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { accessToken, boundHeaders, givenAdmin, givenClient, givenResource } from '../support/given.ts'
import { adminCalls, lastAudited, somebodyWaits } from './admin-call.ts'
import { caller, refused } from './given.ts'

const CRM = 'https://crm.example/api'
const OTHER = 'https://other.example/api'
const app = await startTestApp()
const { ctx, issuer } = app
for (const resource of [CRM, OTHER]) {
  await givenResource(app, { resource, scopes: [{ name: 'read' }, { name: 'write' }] })
}
const admin = await givenAdmin(app)
await givenAdmin(app, { owner: 'user:local:olga' })
const call = adminCalls(app, admin, 'admin:clients approve:agents')

test('a change names what it changes; absent members stay, policies merge, and the audit has both values (section 11)', async () => {
  const { client_id } = await givenClient(app, {
    access: [{ resource: CRM, scope: 'read' }],
    policies: { shim: 'record' },
  })
  const { body: before } = await call('GET', `/clients/${client_id}`)
  app.clock.advance(5)
  const access = [{ resource: CRM, scope: 'read write' }]
  const body = { client_name: 'Shop', owner: 'user:local:carl', access, policies: { require_approval: true } }
  const changed = await call('PATCH', `/clients/${client_id}`, { body })
  const policies = { ...before.policies, require_approval: true }
  const expected = { ...before, ...body, policies, updated_at: ctx.now().toISOString() }
  assert.deepEqual([changed.status, changed.body], [200, expected])
  assert.deepEqual((await call('GET', `/clients/${client_id}`)).body, expected)
  assert.deepEqual(await lastAudited(app, 'client.update'), {
    outcome: 'success',
    reason: null,
    client_id,
    details: {
      changed: {
        client_name: { before: client_id, after: 'Shop' },
        owner: { before: 'user:local:anna', after: 'user:local:carl' },
        access: { before: [{ resource: CRM, scope: 'read' }], after: access },
        'policies.require_approval': { before: false, after: true },
      },
    },
  })
})

test('a change to what is there already changes nothing, not even its time', async () => {
  const { client_id } = await givenClient(app)
  app.clock.advance(5)
  const body = { owner: 'user:local:anna', policies: { shim: 'off' } }
  const { status, body: view } = await call('PATCH', `/clients/${client_id}`, { body })
  assert.deepEqual([status, view.updated_at], [200, null])
  assert.deepEqual((await lastAudited(app, 'client.update')).details, { changed: {} })
})

test('[attack 97] a change names no member that is not there to change, and at least one', async () => {
  const { client_id } = await givenClient(app)
  const members = [
    'client_id',
    'kind',
    'status',
    'token_endpoint_auth_method',
    'secrets',
    'created_by',
    'client_secret',
  ]
  for (const member of members) {
    const { status } = await call('PATCH', `/clients/${client_id}`, { body: { [member]: 'x' } })
    assert.deepEqual([member, status], [member, 400])
  }
  for (const body of [{}, { policies: { limits: {} } }, { jwks: { keys: [] }, jwks_uri: 'https://a.example' }]) {
    assert.equal((await call('PATCH', `/clients/${client_id}`, { body })).status, 400)
  }
})

test('less access acts at the next request (protocol.md section 11)', async () => {
  const client = await givenClient(app, { access: [{ resource: issuer, scope: 'register:intent read:agents' }] })
  const target = { resource: issuer, scope: 'register:intent' }
  await accessToken(app, client, target)
  const body = { access: [{ resource: issuer, scope: 'read:agents' }] }
  assert.equal((await call('PATCH', `/clients/${client.client_id}`, { body })).status, 200)
  await assert.rejects(accessToken(app, client, target), /invalid_scope/)
})

test('a wider access names what exists; what was held may stay when it is gone (section 11)', async () => {
  const gone = 'https://gone.example/api'
  await givenResource(app, { resource: gone, scopes: [{ name: 'read' }] })
  const held = { resource: gone, scope: 'read' }
  const { client_id } = await givenClient(app, { access: [held, { resource: CRM, scope: 'read' }] })
  await ctx.db.updateTable('resource').set({ status: 'deleted' }).where('resource', '=', gone).execute()
  const patch = (access: unknown) => call('PATCH', `/clients/${client_id}`, { body: { access } })
  assert.equal((await patch([held])).status, 200)
  assert.equal((await patch([held, { resource: OTHER, scope: 'read' }])).status, 200)
  for (const entry of [
    { resource: gone, scope: 'read write' },
    { resource: CRM, scope: 'delete' },
  ]) {
    const { status, body } = await patch([entry])
    assert.deepEqual([status, body.code], [400, 'invalid_request'])
  }
})

test('[attack 118] nobody gives admin scopes that their own token has not; to take some away is always possible', async () => {
  const access = (scope: string) => [{ resource: `${issuer}/admin`, scope }]
  const { client_id } = await givenClient(app, { kind: 'operator', access: access('admin:keys audit:read') })
  const patch = (scope: string) => call('PATCH', `/clients/${client_id}`, { body: { access: access(scope) } })
  const wider = await patch('admin:keys audit:read revoke')
  assert.deepEqual([wider.status, wider.body.code], [403, 'forbidden'])
  assert.equal((await lastAudited(app, 'client.update')).reason, 'admin_scope_not_held')
  assert.equal((await patch('admin:keys approve:agents')).status, 200)
})

test('[attack 118] nobody sets the keys of an administrator with more scopes than their own token has', async () => {
  const powerful = await givenAdmin(app)
  const weak = adminCalls(app, admin, 'admin:clients')
  const strong = adminCalls(
    app,
    admin,
    'admin:clients admin:resources admin:keys approve:agents approve:steps revoke audit:read',
  )
  const { jwk, jkt } = await generateKey()
  const body = { jwks: { keys: [jwk] } }
  for (const client_id of [powerful.client_id, admin.client_id]) {
    assert.equal((await weak('PATCH', `/clients/${client_id}`, { body })).status, 403)
  }
  // Nor with the access taken away in the same request.
  const both = { ...body, access: [] }
  assert.equal((await weak('PATCH', `/clients/${powerful.client_id}`, { body: both })).status, 403)
  const changed = await strong('PATCH', `/clients/${powerful.client_id}`, { body })
  assert.deepEqual([changed.status, changed.body.jwks, changed.body.ended_tokens], [200, body.jwks, 0])
  const { details } = await lastAudited(app, 'client.update')
  assert.deepEqual(details, { changed: { jwks: { before: [powerful.key.jkt], after: [jkt] } }, ended_tokens: 0 })
  assert.equal((await weak('PATCH', `/clients/${powerful.client_id}`, { body: { jwks: { keys: [jwk] } } })).status, 403)
})

test('keys go with private_key_jwt only, and are never weak or ours', async () => {
  const { client_id } = await givenClient(app, { token_endpoint_auth_method: 'client_secret_basic', jwks: undefined })
  const { jwk } = await generateKey()
  const withSecret = await call('PATCH', `/clients/${client_id}`, { body: { jwks: { keys: [jwk] } } })
  assert.deepEqual([withSecret.status, withSecret.body.code], [400, 'invalid_request'])
  const signing = await givenClient(app)
  for (const jwks of [null, { keys: [] }, { keys: [{ ...jwk, d: 'x' }] }]) {
    assert.equal((await call('PATCH', `/clients/${signing.client_id}`, { body: { jwks } })).status, 400)
  }
})

test('in production a client that mints does not lose require_approval while it registers (section 4)', async () => {
  const access = [{ resource: issuer, scope: 'generate:intent-token register:intent' }]
  const { client_id } = await givenClient(app, { access, policies: { require_approval: true } })
  const production = { ...ctx, config: { ...ctx.config, production: true } }
  const body = clientUpdateSchema.parse({ policies: { require_approval: false } })
  const refusal = await refused(transaction(production, tx => changeClient(tx, caller(), client_id, body)))
  assert.deepEqual(refusal, { code: 'invalid_request', reason: 'approval_policy_missing' })
})

test('[attack 118] registers_for names active clients: nobody claims a name before it is given out (section 4)', async () => {
  const { client_id } = await givenClient(app)
  const other = await givenClient(app)
  const patch = (names: unknown) => call('PATCH', `/clients/${client_id}`, { body: { registers_for: names } })
  assert.equal((await patch([other.client_id])).status, 200)
  for (const name of ['nobody-yet', client_id.toUpperCase()]) assert.equal((await patch([name])).status, 400)
  await revokeClient(ctx, other.client_id)
  assert.equal((await patch([other.client_id])).status, 200)
  assert.equal((await patch([])).status, 200)
  assert.equal((await patch([other.client_id])).status, 400)
  const created = givenClient(app, { registers_for: ['nobody-yet'] })
  assert.deepEqual(await refused(created), { code: 'invalid_request', reason: 'unknown_client' })
})

test('nobody makes their own owner that of somebody’s client (four eyes)', async () => {
  const { client_id } = await givenClient(app)
  const own = await call('PATCH', `/clients/${client_id}`, { body: { owner: 'user:local:otto' } })
  assert.deepEqual([own.status, own.body.code], [403, 'forbidden'])
  assert.equal((await lastAudited(app, 'client.update')).reason, 'own_takeover')
})

test('of two changes at once neither undoes the other', async () => {
  const { client_id } = await givenClient(app)
  const body = clientUpdateSchema.parse({ client_name: 'First' })
  const second = await transaction(ctx, async tx => {
    await changeClient(tx, caller(), client_id, body)
    const later = call('PATCH', `/clients/${client_id}`, { body: { owner: 'user:local:carl' } })
    await somebodyWaits(app)
    return { later }
  })
  const { status, body: view } = await second.later
  assert.deepEqual([status, view.client_name, view.owner], [200, 'First', 'user:local:carl'])
})

test('what is not there cannot be changed, nor what was revoked', async () => {
  const body = { client_name: 'x' }
  assert.equal((await call('PATCH', '/clients/nobody', { body })).status, 404)
  const { client_id } = await givenClient(app)
  await revokeClient(ctx, client_id)
  assert.equal((await call('PATCH', `/clients/${client_id}`, { body })).status, 409)
})

test('[attack 129] the last client with admin:clients keeps it, also when two give up theirs at once', async () => {
  const own = await startTestApp()
  const one = await givenAdmin(own)
  const two = await givenAdmin(own)
  const body = { access: [{ resource: `${own.issuer}/admin`, scope: 'audit:read' }] }
  const agentOnly = { grant_types: ['agent_checksum'] }
  const calls = [one, two].map(by =>
    adminCalls(own, by, 'admin:clients audit:read')('PATCH', `/clients/${by.client_id}`, { body }),
  )
  const statuses = (await Promise.all(calls)).map(answer => answer.status)
  assert.deepEqual(statuses.sort(), [200, 409])
  const found = await Promise.all([one, two].map(client => findClient(own.ctx, client.client_id)))
  const kept = found.filter(client => client?.access[0]?.scope.includes('admin:clients'))
  assert.equal(kept.length, 1)
  const last = [one, two].find(client => client.client_id === kept[0]?.client_id) ?? one
  const locked = await adminCalls(own, last, 'admin:clients')('PATCH', `/clients/${last.client_id}`, {
    body: agentOnly,
  })
  assert.equal(locked.status, 409)
})

test('[attack 129] a change of access, grants or keys waits at the gate for what changes at the same time (section 9)', async () => {
  const { client_id } = await givenClient(app)
  const { jwk } = await generateKey()
  for (const [enterGate, body] of [
    [enterGateShared, { access: [] }],
    [enterGateShared, { grant_types: ['agent_checksum'] }],
    [enterGateExclusive, { jwks: { keys: [jwk] } }],
  ] as const) {
    const token = await accessToken(app, admin, { resource: `${issuer}/admin`, scope: 'admin:clients' })
    const patch = await transaction(ctx, async tx => {
      await enterGate(tx)
      const answer = patchWith(token, client_id, body)
      await somebodyWaits(app)
      return { answer }
    })
    assert.equal((await patch.answer).status, 200, Object.keys(body).join())
  }
})

async function patchWith(token: string, client_id: string, body: object): Promise<Response> {
  const url = `${app.adminUrl}/admin/v1/clients/${client_id}`
  const headers = await boundHeaders(app, admin, token, { method: 'PATCH', url })
  const init = { method: 'PATCH', headers: { ...headers, 'content-type': 'application/json' } }
  return await fetch(url, { ...init, body: JSON.stringify(body) })
}
