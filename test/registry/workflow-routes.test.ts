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

test('a malformed definition is refused by itself: every other one has its answer (section 2, ADR 11)', async () => {
  const other = await givenClient(app)
  const token = await accessToken(app, other, { resource: issuer, scope: 'register:workflow' })
  const workflow_definitions = [
    { workflow_id: 'fine', steps: { gate: { approval_gate: true } } },
    { workflow_id: 'a|b', steps: { gate: { approval_gate: true } } },
    { workflow_id: 'shaped', steps: { gate: { approval_gate: true } }, color: 'red' },
  ]
  const refused = await call(other, token, 'POST', `${issuer}/intent/batch_register/workflow`, { workflow_definitions })
  const { error_uri: _, ...answer } = refused.body
  assert.deepEqual(
    [refused.status, answer],
    [
      400,
      {
        error: 'invalid_request',
        error_description: 'No workflow was registered; the member results says why.',
        results: [
          { workflow_id: 'fine', status: 'not_registered' },
          {
            status: 'refused',
            error: 'invalid_request',
            error_description:
              'Member workflow_id is not accepted: Invalid string: must match pattern /^(?!.{1,2}$|__proto__$)[A-Za-z0-9._:-]{1,128}$/',
          },
          {
            workflow_id: 'shaped',
            status: 'refused',
            error: 'invalid_request',
            error_description: 'The request has a member that is not known here.',
          },
        ],
      },
    ],
  )
  const rows = await app.ctx.db
    .selectFrom('audit_event')
    .select(['reason', 'details'])
    .where('client_id', '=', other.client_id)
    .where('action', '=', 'workflow.batch_register')
    .execute()
  const details = { caller: other.client_id, acting_owner: 'user:local:anna', workflow_ids: ['fine', 'shaped'] }
  assert.deepEqual(rows, [{ reason: 'request_schema', details }])
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

test('workflows of all clients are listed, by client and by state, page by page (section 11)', async () => {
  const second = await givenClient(app, { policies: { require_approval: true } })
  await givenAgent(app, second, 'sorter')
  const token = await accessToken(app, second, { resource: issuer, scope: 'register:workflow' })
  const path = `${issuer}/intent/register/workflow`
  for (const body of [FIRST, LOOSER, { ...FIRST, workflow_id: 'quiet' }]) await call(second, token, 'POST', path, body)
  const named = (answer: { body: { items: { client_id: string; workflow_id: string; pending: number }[] } }) =>
    answer.body.items.map(item => [item.client_id, item.workflow_id, item.pending])
  const waiting = await asAdmin('GET', '/workflows?status=pending')
  assert.deepEqual([named(waiting), waiting.body.next_cursor], [[[second.client_id, 'mail', 1]], null])
  assert.deepEqual(named(await asAdmin('GET', `/workflows?client_id=${client_id}&status=pending`)), [])
  assert.deepEqual(named(await asAdmin('GET', `/workflows/${second.client_id}?status=pending`)), named(waiting))
  assert.deepEqual(named(await asAdmin('GET', '/workflows?status=revoked')), [])
  const all = named(await asAdmin('GET', '/workflows'))
  const ours = all.filter(([id]) => id === client_id || id === second.client_id)
  assert.deepEqual(
    ours,
    [
      [client_id, 'mail', 0],
      [client_id, 'post', 0],
      [second.client_id, 'mail', 1],
      [second.client_id, 'quiet', 0],
    ].toSorted((a, b) => (`${a[0]}/${a[1]}` < `${b[0]}/${b[1]}` ? -1 : 1)),
  )
  const paged: unknown[] = []
  for (let cursor = ''; ; ) {
    const page = await asAdmin('GET', `/workflows?limit=1${cursor}`)
    paged.push(...named(page))
    if (page.body.next_cursor === null) break
    cursor = `&cursor=${page.body.next_cursor}`
  }
  assert.deepEqual(paged, all)
  const active = await asAdmin('GET', '/workflows?status=active&limit=1')
  const moved = await asAdmin('GET', `/workflows?limit=1&cursor=${active.body.next_cursor}`)
  assert.deepEqual([moved.status, moved.body.code], [400, 'invalid_request'])
  assert.equal((await asAdmin('GET', '/workflows?client_id=nobody')).status, 404)
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

test('what waits at a client that was revoked is in no list, and nobody decides about it (section 9)', async () => {
  const gone = await givenClient(app, { policies: { require_approval: true } })
  await givenAgent(app, gone, 'sorter')
  const token = await accessToken(app, gone, { resource: issuer, scope: 'register:workflow' })
  const register = (body: object) => call(gone, token, 'POST', `${issuer}/intent/register/workflow`, body)
  assert.equal((await register(FIRST)).body.status, 'registered')
  assert.equal((await register(LOOSER)).body.status, 'pending')
  const path = `/workflows?client_id=${gone.client_id}&status=pending`
  assert.equal((await asAdmin('GET', path)).body.items.length, 1)
  const revoked = await asAdmin('POST', '/revocations', { kind: 'client', id: gone.client_id, reason: 'left' })
  assert.equal(revoked.status, 201)
  assert.deepEqual((await asAdmin('GET', path)).body.items, [])
  const seen = (await asAdmin('GET', `/workflows?client_id=${gone.client_id}`)).body.items
  assert.deepEqual(
    seen.map((item: { status: string; pending: number }) => [item.status, item.pending]),
    [['revoked', 0]],
  )
  const inState = async (status: string) => {
    return (await asAdmin('GET', `/workflows?client_id=${gone.client_id}&status=${status}`)).body.items.length
  }
  assert.deepEqual([await inState('active'), await inState('revoked')], [0, 1])
  const decided = await asAdmin('POST', `/workflows/${gone.client_id}/mail/approve`, { version: 2 })
  assert.deepEqual([decided.status, decided.body.code], [409, 'conflict'])
})
