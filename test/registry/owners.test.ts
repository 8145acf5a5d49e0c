import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { givenAdmin, givenClient } from '../support/given.ts'
import { adminCalls, lastAudited } from './admin-call.ts'

const app = await startTestApp()
const admin = await givenAdmin(app, { owner: 'user:local:otto' })
const call = adminCalls(app, admin, 'admin:clients')

// First in the file: it needs a server with exactly one administrator.
test('the only administrator may make its own owner that of every client (section 11)', async () => {
  await givenClient(app, { owner: 'user:local:left' })
  const body = { from: 'user:local:left', to: 'user:local:otto', reason: 'she left' }
  const { status, body: answer } = await call('POST', '/owners/transfer', { body })
  assert.deepEqual([status, answer], [200, { from: 'user:local:left', to: 'user:local:otto', clients: 1 }])
  await givenAdmin(app, { owner: 'user:local:olga' })
  await givenClient(app, { owner: 'user:local:left' })
  const again = await call('POST', '/owners/transfer', { body })
  assert.deepEqual([again.status, again.body.code], [403, 'forbidden'])
  assert.equal((await lastAudited(app, 'owner.transfer')).reason, 'own_takeover')
})

test('owners are listed with their clients and operators, page by page; deleted clients count no more', async () => {
  const gone = await givenClient(app, { owner: 'user:local:anna' })
  await givenClient(app, { owner: 'user:local:anna' })
  await givenClient(app, { owner: 'user:local:anna', kind: 'operator' })
  const only = await givenClient(app, { owner: 'user:local:zoe' })
  for (const { client_id } of [gone, only]) await call('DELETE', `/clients/${client_id}?reason=x`)
  const all = (await call('GET', '/owners')).body
  assert.deepEqual(all, {
    items: [
      { owner: 'user:local:anna', clients: 2, operators: 1 },
      { owner: 'user:local:left', clients: 1, operators: 0 },
      { owner: 'user:local:olga', clients: 1, operators: 1 },
      { owner: 'user:local:otto', clients: 2, operators: 1 },
    ],
    next_cursor: null,
  })
  const first = (await call('GET', '/owners?limit=3')).body
  const rest = (await call('GET', `/owners?limit=3&cursor=${first.next_cursor}`)).body
  assert.deepEqual([...first.items, ...rest.items], all.items)
})

test('every client of an owner moves in one act, which names them in the audit (section 11)', async () => {
  const owner = 'user:local:bob'
  const moved = await Promise.all(Array.from({ length: 3 }, () => givenClient(app, { owner })))
  const body = { from: owner, to: 'user:local:eve', reason: 'new team' }
  const { status, body: answer } = await call('POST', '/owners/transfer', { body, key: 'move-bob' })
  assert.deepEqual([status, answer], [200, { from: owner, to: 'user:local:eve', clients: 3 }])
  const client_ids = moved.map(client => client.client_id).sort()
  assert.deepEqual(await lastAudited(app, 'owner.transfer'), {
    outcome: 'success',
    reason: null,
    client_id: admin.client_id,
    details: { ...body, clients: 3, client_ids },
  })
  for (const client_id of client_ids) {
    assert.equal((await call('GET', `/clients/${client_id}`)).body.owner, 'user:local:eve')
  }
  assert.equal((await call('POST', '/owners/transfer', { body, key: 'move-bob' })).status, 200)
  assert.equal((await call('POST', '/owners/transfer', { body })).status, 404)
})

test('an owner is a subject name, and another one; the scope is admin:clients', async () => {
  const body = { from: 'user:local:anna', to: 'user:local:eve', reason: 'x' }
  for (const over of [{ to: 'user:local:anna' }, { to: 'eve or so' }, { from: '' }, { reason: '' }, { status: 'x' }]) {
    assert.equal((await call('POST', '/owners/transfer', { body: { ...body, ...over } })).status, 400)
  }
  const auditor = adminCalls(app, admin, 'audit:read')
  assert.equal((await auditor('POST', '/owners/transfer', { body })).status, 403)
  assert.equal((await auditor('GET', '/owners')).status, 403)
})
