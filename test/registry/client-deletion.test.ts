import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { accessToken, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { adminCalls, lastAudited } from './admin-call.ts'

const app = await startTestApp()
const { ctx, issuer } = app
const admin = await givenAdmin(app)
const call = adminCalls(app, admin, 'admin:clients')

// First in the file: it needs a server with exactly one administrator.
test('[attack 129] the last administrator cannot be deleted', async () => {
  const { status, body } = await call('DELETE', `/clients/${admin.client_id}?reason=oops`)
  assert.deepEqual([status, body.code], [409, 'conflict'])
  assert.equal((await lastAudited(app, 'client.delete')).reason, 'last_administrator')
  assert.equal((await call('GET', `/clients/${admin.client_id}`)).body.status, 'active')
})

test('a deleted client is revoked with all of its tokens; what is left has no key and no secret (section 9)', async () => {
  const client = await givenClient(app)
  const { client_id } = client
  await givenAgent(app, client, 'mailer')
  const token = await accessToken(app, client, { resource: issuer, scope: 'read:agents', bearer: true })
  const before = (await call('GET', `/clients/${client_id}`)).body
  const deleted = await call('DELETE', `/clients/${client_id}?reason=end%20of%20life`)
  const updated_at = ctx.now().toISOString()
  const left = { ...before, jwks: null, status: 'deleted', updated_at, secrets: [] }
  const { revocation, ...view } = deleted.body
  assert.deepEqual([deleted.status, view], [200, left])
  const { ends_at, note: _, ...covered } = revocation
  assert.deepEqual(covered, {
    kind: 'client',
    id: client_id,
    revoked: { token: 0, registration: 0, agent: 0, client: 1, execution: 0, workflow: 0, initiator: 0, key: 0 },
    delegations: 0,
    live_tokens: 1,
    live_tokens_at_least: false,
    revoked_at: updated_at,
    final: true,
  })
  assert.ok(Date.parse(ends_at) > Date.parse(updated_at))
  assert.deepEqual((await call('GET', `/clients/${client_id}`)).body, left)
  await assert.rejects(accessToken(app, client, { resource: issuer, scope: 'read:agents' }), /invalid_client/)
  const used = await fetch(`${issuer}/intent/agents/${client_id}`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(used.status, 401)
  const entry = await ctx.db
    .selectFrom('revocation')
    .select(['kind', 'id', 'reason'])
    .where('id', '=', client_id)
    .limit(2)
    .orderBy('seq')
    .execute()
  assert.deepEqual(entry, [{ kind: 'client', id: client_id, reason: 'end of life' }])
  const { details, outcome } = await lastAudited(app, 'client.delete')
  assert.deepEqual([outcome, details.reason, details.owner], ['success', 'end of life', 'user:local:anna'])
})

test('[attack 28] secrets and keys of a deleted client are gone from the database', async () => {
  const method = { token_endpoint_auth_method: 'client_secret_basic', jwks: undefined }
  const { client_id } = await givenClient(app, method)
  await call('DELETE', `/clients/${client_id}?reason=x`)
  const secrets = await ctx.db
    .selectFrom('client_secret')
    .select('client_id')
    .where('client_id', '=', client_id)
    .execute()
  assert.deepEqual(secrets, [])
})

test('[attack 94] the name of a deleted client is never given out again (section 9)', async () => {
  const { client_id } = await givenClient(app)
  await call('DELETE', `/clients/${client_id}?reason=x`)
  const body = {
    client_id,
    client_name: 'Heir',
    owner: 'user:local:eve',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    access: [],
  }
  const again = await call('POST', '/clients', { body })
  assert.deepEqual([again.status, again.body.code], [409, 'conflict'])
  for (const [method, path, sent] of [
    ['PATCH', `/clients/${client_id}`, { body: { client_name: 'Heir' } }],
    ['POST', `/clients/${client_id}/secret`, { body: {} }],
    ['DELETE', `/clients/${client_id}?reason=x`, {}],
  ] as const) {
    assert.deepEqual([method, (await call(method, path, sent)).status], [method, 409])
  }
})

test('lists leave deleted clients out unless asked, and go by owner, kind and status (section 11)', async () => {
  const owner = 'user:local:lists'
  const [one, two, gone] = await Promise.all(Array.from({ length: 3 }, () => givenClient(app, { owner })))
  const operator = await givenClient(app, { owner, kind: 'operator' })
  await call('DELETE', `/clients/${gone?.client_id}?reason=x`)
  const ids = async (query: string) => {
    const { items } = (await call('GET', `/clients?owner=${owner}${query}`)).body
    return items.map((item: { client_id: string }) => item.client_id).sort()
  }
  const apps = [one?.client_id, two?.client_id].sort()
  assert.deepEqual(await ids(''), [...apps, operator.client_id].sort())
  assert.deepEqual(await ids('&kind=app'), apps)
  assert.deepEqual(await ids('&kind=operator&status=active'), [operator.client_id])
  assert.deepEqual(await ids('&status=deleted'), [gone?.client_id])
  assert.deepEqual(await ids('&status=revoked'), [])
  for (const query of [
    'status=gone',
    'kind=robot',
    'owner=',
    'owner=a%20b',
    'name=x',
    'status=active&status=deleted',
  ]) {
    assert.deepEqual([query, (await call('GET', `/clients?${query}`)).status], [query, 400])
  }
  const page = (await call('GET', `/clients?owner=${owner}&limit=2`)).body
  const rest = (await call('GET', `/clients?owner=${owner}&limit=2&cursor=${page.next_cursor}`)).body
  assert.deepEqual([page.items.length, rest.items.length, rest.next_cursor], [2, 1, null])
})

test('a deletion needs a reason, and the right scope', async () => {
  const { client_id } = await givenClient(app)
  for (const query of ['', '?reason=', `?reason=${'x'.repeat(201)}`, '?reason=x&force=1']) {
    assert.deepEqual([query, (await call('DELETE', `/clients/${client_id}${query}`)).status], [query, 400])
  }
  const auditor = adminCalls(app, admin, 'audit:read revoke')
  assert.equal((await auditor('DELETE', `/clients/${client_id}?reason=x`)).status, 403)
  assert.equal((await call('DELETE', '/clients/nobody?reason=x')).status, 404)
})
