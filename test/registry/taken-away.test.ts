import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientUpdateSchema } from '../../src/protocol/client.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { transaction } from '../../src/server/context.ts'
import { changeClient } from '../../src/server/registry/client-update.ts'
import { revokeClient } from '../../src/server/store/clients.ts'
import { enterGateExclusive } from '../../src/server/store/gate.ts'
import { asPage, givenLink, givenSession, signIn } from '../console/given.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import {
  accessToken,
  boundHeaders,
  type GivenClient,
  givenAdmin,
  givenClient,
  givenResource,
} from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { adminCalls, lastAudited, somebodyWaits } from './admin-call.ts'
import { caller } from './given.ts'

const app = await startTestApp()
const { ctx, issuer } = app
const ADMIN = `${issuer}/admin`
const SCOPE = ADMIN_SCOPES.join(' ')
const CRM = 'https://crm.example/api'
await givenResource(app, { resource: CRM, scopes: [{ name: 'read' }] })
const call = adminCalls(app, await givenAdmin(app, { owner: 'user:local:olga' }), SCOPE)
/** Two at least, so that the one of a test is never the last. */
await givenAdmin(app, { owner: 'user:local:olga' })

/** One request with a token that was issued before; the admin API unless `base` says otherwise. */
async function withToken(by: GivenClient, token: string, method: string, path: string, body?: object) {
  // Audit rows of one instant have no order among themselves.
  app.clock.advance(1)
  const url = `${app.adminUrl}${path}`
  const headers = {
    ...(await boundHeaders(app, by, token, { method, url })),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  }
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  return { status: response.status, body: await jsonOf(response) }
}

async function lastReason(client_id: string) {
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'reason', 'client_id'])
    .orderBy('id', 'desc')
    .limit(5)
    .execute()
  return rows.find(row => row.client_id === client_id) ?? rows[0]
}

const adminToken = (by: GivenClient, scope = SCOPE) => accessToken(app, by, { resource: ADMIN, scope })

test('[attack 118] access that was taken away is not taken back with the token of a moment ago (section 11)', async () => {
  const admin = await givenAdmin(app)
  const token = await adminToken(admin)
  const path = `/admin/v1/clients/${admin.client_id}`
  const held = [{ resource: ADMIN, scope: SCOPE }]
  const less = { access: [{ resource: ADMIN, scope: 'audit:read' }] }
  assert.equal((await call('PATCH', `/clients/${admin.client_id}`, { body: less })).status, 200)
  const back = await withToken(admin, token, 'PATCH', path, { access: held })
  assert.deepEqual([back.status, back.body.code], [403, 'insufficient_scope'])
  const { action, outcome, reason } = (await lastReason(admin.client_id)) ?? {}
  assert.deepEqual({ action, outcome, reason }, { action: 'request', outcome: 'refused', reason: 'insufficient_scope' })
  assert.equal((await withToken(admin, token, 'GET', '/admin/v1/audit')).status, 200)
})

test('a token for <issuer> loses what its client lost (section 11)', async () => {
  const client = await givenClient(app)
  const target = { resource: issuer, scope: 'register:intent read:agents' }
  const token = await accessToken(app, client, target)
  const url = `${issuer}/intent/agents`
  const read = async () => await fetch(url, { headers: await boundHeaders(app, client, token, { method: 'GET', url }) })
  const before = (await read()).status
  const body = { access: [{ resource: issuer, scope: 'register:intent' }] }
  assert.equal((await call('PATCH', `/clients/${client.client_id}`, { body })).status, 200)
  assert.deepEqual([before, (await read()).status], [200, 403])
})

test('[attack 118] a client that lost client_credentials gives it to itself with no token, nor with a session (section 11)', async () => {
  const session = await givenSession(app)
  const { admin } = session
  const token = await adminToken(admin)
  const path = `/admin/v1/clients/${admin.client_id}`
  const body = { grant_types: ['agent_checksum'] }
  assert.equal((await asPage(app, session, path)).status, 200)
  assert.equal((await call('PATCH', `/clients/${admin.client_id}`, { body })).status, 200)
  const back = await withToken(admin, token, 'PATCH', path, { grant_types: ['client_credentials'] })
  assert.deepEqual([back.status, back.body.code], [401, 'invalid_token'])
  assert.equal((await asPage(app, session, path)).status, 401)
})

test('a Bearer token stands for its client at /intent/token only while the client has what it says (section 6)', async () => {
  const client = await givenClient(app, { policies: { allow_bearer: true } })
  const target = { resource: issuer, scope: 'generate:intent-token', bearer: true }
  const token = await accessToken(app, client, target)
  const ask = async () => {
    const headers = { authorization: `Bearer ${token}` }
    const agent = { agent_id: 'nobody', computed_checksum: `sha256:${'0'.repeat(64)}` }
    const body = new URLSearchParams({ grant_type: 'agent_checksum', resource: CRM, scope: 'read', ...agent })
    const response = await fetch(`${issuer}/oauth/token`, { method: 'POST', headers, body })
    return response.status
  }
  assert.equal(await ask(), 400)
  const path = `/clients/${client.client_id}`
  const grants = (grant_types: readonly string[]) => call('PATCH', path, { body: { grant_types } })
  await grants(['agent_checksum'])
  assert.equal(await ask(), 401)
  await grants(['client_credentials', 'agent_checksum'])
  assert.equal(await ask(), 400)
  await call('PATCH', path, { body: { access: [{ resource: issuer, scope: 'read:agents' }] } })
  assert.equal(await ask(), 401)
})

test('[attack 118] a key that is taken away takes the live tokens and sessions of its client with it (section 11)', async () => {
  const session = await givenSession(app)
  const { admin } = session
  const path = `/admin/v1/clients/${admin.client_id}`
  const access = [
    { resource: ADMIN, scope: SCOPE },
    { resource: issuer, scope: 'read:agents' },
    { resource: CRM, scope: 'read' },
  ]
  assert.equal((await call('PATCH', `/clients/${admin.client_id}`, { body: { access } })).status, 200)
  const fresh = await generateKey('EdDSA')
  const added = await call('PATCH', `/clients/${admin.client_id}`, {
    body: { jwks: { keys: [admin.key.jwk, fresh.jwk] } },
  })
  assert.deepEqual([added.status, added.body.ended_tokens], [200, undefined])
  assert.deepEqual((await lastAudited(app, 'client.update')).details.ended_tokens, undefined)
  const token = await adminToken(admin)
  await accessToken(app, admin, { resource: issuer, scope: 'read:agents' })
  assert.equal((await withToken(admin, token, 'GET', path)).status, 200)
  // The session outlives the token that it came from.
  app.clock.advance(301)
  await ctx.keys.refresh()
  const live = await adminToken(admin)
  await accessToken(app, admin, { resource: CRM, scope: 'read' })
  await accessToken(app, admin, { resource: issuer, scope: 'read:agents' })
  assert.equal((await asPage(app, session, path)).status, 200)
  const removed = await call('PATCH', `/clients/${admin.client_id}`, { body: { jwks: { keys: [fresh.jwk] } } })
  assert.deepEqual([removed.status, removed.body.ended_tokens], [200, 2])
  const { details, outcome } = await lastAudited(app, 'client.update')
  assert.deepEqual([outcome, details.ended_tokens], ['success', 2])
  const back = await withToken(admin, live, 'PATCH', path, { jwks: { keys: [admin.key.jwk] } })
  assert.deepEqual([back.status, back.body.code], [401, 'invalid_token'])
  assert.equal((await asPage(app, session, path)).status, 401)
  await adminToken({ ...admin, key: fresh })
})

test('[attack 118] a request that began with a key mints nothing once the key was taken away (section 9)', async () => {
  const client = await givenClient(app)
  const { jwk } = await generateKey()
  const secret = await givenClient(app, { token_endpoint_auth_method: 'client_secret_basic', jwks: undefined })
  const body = clientUpdateSchema.parse({ jwks: { keys: [jwk] } })
  app.clock.advance(1)
  const late = await transaction(ctx, async tx => {
    await enterGateExclusive(tx)
    const minted = accessToken(app, client, { resource: issuer, scope: 'read:agents' })
    minted.catch(() => undefined)
    await somebodyWaits(app)
    await changeClient(tx, caller(), client.client_id, body)
    return { minted }
  })
  // Judged again by the record as it is now, where its key is none.
  await assert.rejects(late.minted, /invalid_client/)
  // A rotation is such a change too.
  await call('POST', `/clients/${secret.client_id}/secret`, { body: {} })
  assert.equal((await call('GET', `/clients/${secret.client_id}`)).body.updated_at === null, false)
})

test('[attack 118] a secret without overlap takes what was got by the old one with it; one with overlap nothing (section 11)', async () => {
  const method = { token_endpoint_auth_method: 'client_secret_basic', jwks: undefined }
  const { client_id } = await givenAdmin(app, method)
  const path = `/clients/${client_id}/secret`
  const { client_secret } = (await call('POST', path, { body: { overlap_seconds: 60 } })).body
  const headers = { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}` }
  const form = { grant_type: 'client_credentials', resource: issuer, scope: 'read:agents' }
  const access = [
    { resource: ADMIN, scope: SCOPE },
    { resource: issuer, scope: 'read:agents' },
  ]
  assert.equal(
    (await call('PATCH', `/clients/${client_id}`, { body: { access, policies: { allow_bearer: true } } })).status,
    200,
  )
  const response = await fetch(`${issuer}/oauth/token`, { method: 'POST', headers, body: new URLSearchParams(form) })
  const token = String((await jsonOf(response)).access_token)
  const read = async () =>
    (await fetch(`${issuer}/intent/agents`, { headers: { authorization: `Bearer ${token}` } })).status
  const kept = await call('POST', path, { body: { overlap_seconds: 60 } })
  assert.deepEqual([kept.status, kept.body.ended_tokens, await read()], [201, undefined, 200])
  const rotated = await call('POST', path, { body: {} })
  assert.deepEqual([rotated.status, rotated.body.ended_tokens, await read()], [201, 1, 401])
  const { details } = await lastAudited(app, 'client.rotate_secret')
  assert.deepEqual(details, { overlap_seconds: 0, ended_tokens: 1 })
})

test('[attack 118] a revoked key of a client signs in nowhere while its entry stands, and its tokens end (section 9)', async () => {
  const admin = await givenAdmin(app)
  const other = await generateKey('EdDSA')
  const keys = { jwks: { keys: [admin.key.jwk, other.jwk] } }
  assert.equal((await call('PATCH', `/clients/${admin.client_id}`, { body: keys })).status, 200)
  const token = await adminToken(admin)
  const path = `/admin/v1/clients/${admin.client_id}`
  const body = { kind: 'key', id: admin.key.jkt, reason: 'stolen' }
  assert.equal((await call('POST', '/revocations', { body })).status, 201)
  assert.equal((await lastAudited(app, 'revocation.create')).details.ended_tokens, 1)
  assert.equal((await withToken(admin, token, 'GET', path)).status, 401)
  // Nor where a record has it all the same: one that was written by the release before.
  await ctx.db
    .updateTable('client')
    .set({ jwks: JSON.stringify(keys.jwks) })
    .where('client_id', '=', admin.client_id)
    .execute()
  await assert.rejects(adminToken(admin), /invalid_client/)
  await adminToken({ ...admin, key: other })
})

test('[attack 129] whoever cannot sign in any more is no administrator that may stay alone (section 9)', async () => {
  const own = await startTestApp()
  const one = await givenAdmin(own)
  await givenAdmin(own, { grant_types: ['agent_checksum'] })
  const revoke = adminCalls(own, one, 'admin:clients revoke')
  const last = await revoke('POST', '/revocations', { body: { kind: 'client', id: one.client_id, reason: 'x' } })
  assert.deepEqual([last.status, last.body.code], [409, 'conflict'])
  assert.equal((await lastAudited(own, 'revocation.create')).reason, 'last_administrator')
})

test('what was deleted stays deleted: to revoke it is refused (section 9)', async () => {
  const { client_id } = await givenClient(app)
  assert.equal((await call('DELETE', `/clients/${client_id}?reason=x`)).status, 200)
  const { status, body } = await call('POST', '/revocations', { body: { kind: 'client', id: client_id, reason: 'x' } })
  assert.deepEqual([status, body.code], [409, 'conflict'])
  assert.equal((await lastAudited(app, 'revocation.create')).reason, 'client_deleted')
  assert.equal(await revokeClient(ctx, client_id), false)
  assert.equal((await call('GET', `/clients/${client_id}`)).body.status, 'deleted')
})

test('[attack 118] nobody takes proofs from an administrator with more scopes than their own token has (section 11)', async () => {
  const { client_id } = await givenAdmin(app, { policies: { dpop_nonce: 'required' } })
  const weak = adminCalls(app, await givenAdmin(app), 'admin:clients')
  for (const policies of [
    { allow_bearer_admin: true },
    { allow_bearer: true },
    { agent_proof: 'optional' },
    { dpop_nonce: 'optional' },
  ]) {
    const { status, body } = await weak('PATCH', `/clients/${client_id}`, { body: { policies } })
    assert.deepEqual([policies, status, body.code], [policies, 403, 'forbidden'])
    assert.equal((await lastAudited(app, 'client.update')).reason, 'admin_scope_not_held')
  }
  assert.equal((await weak('PATCH', `/clients/${client_id}`, { body: { policies: { shim: 'record' } } })).status, 200)
  const bearer = { body: { policies: { allow_bearer_admin: true } } }
  assert.equal((await call('PATCH', `/clients/${client_id}`, bearer)).status, 200)
  const stronger = { policies: { allow_bearer_admin: false } }
  assert.equal((await weak('PATCH', `/clients/${client_id}`, { body: stronger })).status, 200)
})

test('a session and a link end when the owner changes, also where the owner comes back (section 11)', async () => {
  const session = await givenSession(app)
  const { client_id } = session.admin
  const link = await givenLink(app, session.admin)
  const path = `/admin/v1/clients/${client_id}`
  const give = (owner: string) => call('PATCH', `/clients/${client_id}`, { body: { owner } })
  for (const owner of ['user:local:carl', 'user:local:otto']) assert.equal((await give(owner)).status, 200)
  assert.deepEqual([(await asPage(app, session, path)).status, (await signIn(app, link.code)).status], [401, 401])
  const lone = await givenAdmin(app, { owner: 'user:local:lone' })
  const other = await givenSession(app, SCOPE, lone)
  for (const [from, to] of [
    ['user:local:lone', 'user:local:carl'],
    ['user:local:carl', 'user:local:lone'],
  ]) {
    const body = { from, to, reason: 'x' }
    assert.equal((await call('POST', '/owners/transfer', { body })).status, 200)
  }
  assert.equal((await asPage(app, other, path)).status, 401)
})

test('a resource is no code: schemes that a browser runs are refused (RFC 8707 section 2)', async () => {
  for (const resource of [
    'javascript:alert(1)',
    'JavaScript:x',
    'data:text/html,x',
    'vbscript:x',
    'blob:https://a/b',
  ]) {
    const body = { resource, scopes: [{ name: 'read' }] }
    const { status, body: problem } = await call('POST', '/resources', { body })
    assert.deepEqual([resource, status, problem.code], [resource, 400, 'invalid_request'])
  }
  const urn = { resource: 'urn:example:api', scopes: [{ name: 'read' }] }
  assert.equal((await call('POST', '/resources', { body: urn })).status, 201)
})
