import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../src/server/store/database.ts'
import { enterGateShared } from '../../src/server/store/gate.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, type GivenClient, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { givenExecution } from './given-execution.ts'

const app = await startTestApp()
const { issuer, adminUrl } = app
const admin = await givenAdmin(app)
const client = await givenClient(app, { policies: { require_approval: true } })
const { client_id } = client
await givenAgent(app, client, 'sorter')
const adminToken = await accessToken(app, admin, { resource: `${issuer}/admin`, scope: 'approve:agents revoke' })
const clientToken = await accessToken(app, client, { resource: issuer, scope: 'register:workflow' })

async function call(by: GivenClient, token: string, method: string, url: string, body?: unknown) {
  const bound = await boundHeaders(app, by, token, { method, url: url.split('?', 1)[0] ?? url })
  const json = body === undefined ? undefined : { 'content-type': 'application/json' }
  const sent = { method, headers: { ...bound, ...json }, ...(body !== undefined && { body: JSON.stringify(body) }) }
  const response = await fetch(url, sent)
  return { status: response.status, body: JSON.parse(await response.text()) }
}

const asClient = (path: string, body?: unknown) => call(client, clientToken, 'POST', `${issuer}${path}`, body)
const asAdmin = (method: string, path: string, body?: unknown) =>
  call(admin, adminToken, method, `${adminUrl}/admin/v1${path}`, body)

const FIRST = { workflow_id: 'mail', steps: { sort: { agent_id: 'sorter', required: true } } }
const LOOSER = { workflow_id: 'mail', steps: { sort: { agent_id: 'sorter' } } }

async function audited(action: string) {
  return await app.ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason', 'client_id', 'details'])
    .where('action', '=', action)
    .orderBy('outcome', 'desc')
    .execute()
}

test('workflows are registered by the batch; a refusal names each item in results (sections 2 and 10)', async () => {
  const path = '/intent/batch_register/workflow'
  const done = await asClient(path, { workflow_definitions: [FIRST, { ...FIRST, workflow_id: 'post' }] })
  const registered = [
    { status: 'registered', workflow_id: 'mail', version: 1 },
    { status: 'registered', workflow_id: 'post', version: 1 },
  ]
  assert.deepEqual([done.status, done.body], [200, { workflows: registered }])
  const bad = { workflow_id: 'bad', steps: [{ step_id: 's', agent_id: 'sorter', dependencies: ['x'] }] }
  const refused = await asClient(path, { workflow_definitions: [FIRST, bad] })
  assert.equal(refused.status, 400)
  assert.deepEqual(refused.body.results, [
    { workflow_id: 'mail', status: 'not_registered' },
    {
      workflow_id: 'bad',
      status: 'refused',
      error: 'invalid_request',
      error_description: 'A dependency is not a step of the workflow.',
    },
  ])
  const common = { caller: client_id, acting_owner: 'user:local:anna' }
  assert.deepEqual(await audited('workflow.batch_register'), [
    {
      outcome: 'success',
      reason: null,
      client_id,
      details: {
        ...common,
        workflow_ids: ['mail', 'post'],
        registered: 2,
      },
    },
    {
      outcome: 'refused',
      reason: 'unknown_dependency',
      client_id,
      details: { ...common, workflow_ids: ['mail', 'bad'] },
    },
  ])
  const many = Array.from({ length: 65 }, (_, n) => ({ ...FIRST, workflow_id: `w${n}` }))
  assert.equal((await asClient(path, { workflow_definitions: many })).status, 400)
  assert.equal((await asClient(path, { workflow_definitions: [] })).status, 400)
})

test('[attack 116] whoever deregisters what is not theirs, or not there, is refused without holding back a mint (section 5)', async () => {
  const db = openDatabase(app.database.connection)
  // A mint under way: the exclusive gate would wait for it, and every later mint for the gate.
  await db.transaction().execute(async tx => {
    await enterGateShared({ ...app.ctx, db: tx })
    const foreign = await asClient(`/intent/deregister/workflow?workflow_id=mail&app_id=${admin.client_id}`)
    assert.deepEqual([foreign.status, foreign.body.error], [400, 'unauthorized_client'])
    const unknown = await asClient('/intent/deregister/workflow?workflow_id=nothing')
    assert.deepEqual([unknown.status, unknown.body.error], [400, 'invalid_request'])
  })
  await db.destroy()
  const common = { caller: client_id, acting_owner: 'user:local:anna' }
  const refused = { outcome: 'refused' as const }
  const rows = await audited('workflow.deregister')
  assert.deepEqual(
    rows.toSorted((a, b) => String(a.reason).localeCompare(String(b.reason))),
    [
      {
        ...{ ...refused, reason: 'foreign_app', client_id: admin.client_id },
        details: { ...common, workflow_id: 'mail' },
      },
      { ...refused, reason: 'unknown_workflow', client_id, details: { ...common, workflow_id: 'nothing' } },
    ],
  )
})

test('a version is seen, rejected with a reason, proposed again and approved (section 11)', async () => {
  assert.equal((await asClient('/intent/register/workflow', LOOSER)).body.status, 'pending')
  const list = await asAdmin('GET', `/workflows/${client_id}`)
  assert.deepEqual(
    list.body.items.map((item: { workflow_id: string; pending: number }) => [item.workflow_id, item.pending]),
    [
      ['mail', 1],
      ['post', 0],
    ],
  )
  const path = `/workflows/${client_id}/mail`
  const seen = await asAdmin('GET', path)
  assert.deepEqual([seen.status, seen.body.version, seen.body.versions.length], [200, 1, 2])
  assert.equal((await asAdmin('POST', `${path}/reject`, { version: 2 })).status, 400)
  const rejected = await asAdmin('POST', `${path}/reject`, { version: 2, reason: 'keep it required' })
  assert.deepEqual(rejected.body, { status: 'rejected', workflow_id: 'mail', version: 2 })
  const details = { caller: admin.client_id, acting_owner: 'user:local:otto', workflow_id: 'mail', version: 2 }
  const decided = { outcome: 'success', reason: null, client_id, details: { ...details, reason: 'keep it required' } }
  assert.deepEqual(await audited('workflow.reject'), [decided])
  assert.equal((await asClient('/intent/register/workflow', LOOSER)).body.version, 3)
  assert.equal((await asAdmin('POST', `${path}/approve`, { version: 3 })).status, 200)
  assert.equal((await asAdmin('GET', `/workflows/${client_id}/none`)).status, 404)
})

test('a workflow is deregistered by the query, without a body; unknown members are refused (section 2)', async () => {
  const path = '/intent/deregister/workflow'
  const ended = await asClient(`${path}?workflow_id=post&close=true`)
  const answer = { status: 'deregistered', workflow_id: 'post', version: 1, closed: 0 }
  assert.deepEqual([ended.status, ended.body], [200, answer])
  assert.equal((await asClient(`${path}?workflow_id=post`)).status, 200)
  for (const query of ['', '?workflow_id=a%7Cb', '?workflow_id=post&x=1', '?workflow_id=post&close=yes']) {
    const { status, body } = await asClient(`${path}${query}`)
    assert.deepEqual([status, body.error], [400, 'invalid_request'])
  }
  assert.equal((await audited('workflow.deregister')).filter(row => row.outcome === 'success').length, 2)
})

test('[attack 77] a workflow with open executions answers 409 and stays; close=true ends them, and says how many (section 5)', async () => {
  const path = '/intent/deregister/workflow?workflow_id=runs'
  await asClient('/intent/register/workflow', { ...FIRST, workflow_id: 'runs' })
  for (const _ of [1, 2]) await givenExecution(app.ctx, client_id, 'runs')
  const refused = await asClient(path)
  assert.deepEqual(
    [refused.status, refused.body],
    [
      409,
      {
        error: 'invalid_request',
        error_description: 'The workflow has open executions; close=true ends them.',
        error_uri: `${issuer}/errors/invalid_request`,
      },
    ],
  )
  assert.equal((await audited('workflow.deregister')).at(-1)?.reason, 'open_executions')
  const ended = await asClient(`${path}&close=true`)
  const answer = { status: 'deregistered', workflow_id: 'runs', version: 1, closed: 2 }
  assert.deepEqual([ended.status, ended.body], [200, answer])
  const rows = await app.ctx.db.selectFrom('execution').select('status').where('workflow_id', '=', 'runs').execute()
  assert.deepEqual(rows, [{ status: 'closed' }, { status: 'closed' }])
})

test('revocations are listed to whoever holds the scope revoke, and to nobody else (section 11)', async () => {
  const id = 'user:corp:42'
  const made = await asAdmin('POST', '/revocations', { kind: 'initiator', id, reason: 'left' })
  const list = await asAdmin('GET', '/revocations?limit=1')
  const { revoked_at: at, ends_at } = made.body
  const entry = { kind: 'initiator', id, reason: 'left', revoked_by: admin.client_id, at, ends_at, lifted_at: null }
  assert.deepEqual(list.body.items, [entry])
  const narrow = await accessToken(app, admin, { resource: `${issuer}/admin`, scope: 'audit:read' })
  const refused = await call(admin, narrow, 'GET', `${adminUrl}/admin/v1/revocations`)
  assert.equal(refused.status, 403)
  const unknown = await asAdmin('POST', '/revocations', { kind: 'execution', id: 'x', reason: 'y' })
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'not_found'])
})

test('a key of ours is revoked only with scope admin:keys as well (section 11)', async () => {
  const { kid } = await app.ctx.keys.signer('RS256')
  const body = { kind: 'key', id: kid, reason: 'leaked' }
  const refused = await asAdmin('POST', '/revocations', body)
  assert.deepEqual([refused.status, refused.body.code], [403, 'forbidden'])
  const scope = 'revoke admin:keys'
  const both = await accessToken(app, admin, { resource: `${issuer}/admin`, scope })
  const done = await call(admin, both, 'POST', `${adminUrl}/admin/v1/revocations`, body)
  assert.equal(done.status, 201)
  assert.notEqual((await app.ctx.keys.signer('RS256')).kid, kid)
})
