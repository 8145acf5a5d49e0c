import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import {
  accessToken,
  boundHeaders,
  type GivenClient,
  givenAdmin,
  givenAgent,
  givenClient,
  givenResource,
} from '../support/given.ts'

const CRM = 'https://crm.example/api'
const app = await startTestApp()
const { issuer, adminUrl, ctx } = app
await givenResource(app, { resource: CRM, scopes: [{ name: 'read' }] })
const admin = await givenAdmin(app)
await givenAdmin(app, { owner: 'user:local:eve' })
const READS = 'register:intent read:agents read:agent-components'
const access = [{ resource: issuer, scope: READS }]
const client = await givenClient(app, { client_id: 'app-one', access })
const stranger = await givenClient(app, { client_id: 'app-two', access, policies: { require_approval: true } })
const adminToken = await accessToken(app, admin, { resource: `${issuer}/admin`, scope: 'approve:agents revoke' })
const readsAgents = await accessToken(app, client, { resource: issuer, scope: 'read:agents' })
const readsComponents = await accessToken(app, client, { resource: issuer, scope: READS })

async function call(by: GivenClient, token: string, method: string, url: string, sent?: object) {
  const bound = await boundHeaders(app, by, token, { method, url: url.split('?', 1)[0] ?? url })
  const json: Record<string, string> = sent === undefined ? {} : { 'content-type': 'application/json' }
  const body = sent === undefined ? {} : { body: JSON.stringify(sent) }
  const response = await fetch(url, { method, headers: { ...bound, ...json }, ...body })
  return { status: response.status, body: JSON.parse(await response.text()), headers: response.headers }
}

function asAdmin(method: string, path: string, sent?: object) {
  return call(admin, adminToken, method, `${adminUrl}/admin/v1${path}`, sent)
}

function asClient(path: string, token = readsComponents) {
  return call(client, token, 'GET', `${issuer}${path}`)
}

async function reads() {
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['client_id', 'agent_id', 'outcome', 'reason', 'details'])
    .where('action', '=', 'read')
    .orderBy('agent_id', order => order.asc().nullsFirst())
    .execute()
  await ctx.db.deleteFrom('audit_event').where('action', '=', 'read').execute()
  return rows
}

const TOOL = { name: 'find', description: 'Finds.', parameters: { type: 'object' } }

function components(agent_id: string, prompt_template: string) {
  return { agent_components: { agent_id, prompt_template, tools: [TOOL] } }
}

const sorter = await givenAgent(app, client, 'sorter', components('sorter', 'canary one'))
app.clock.advance(1)
const second = await givenAgent(app, client, 'sorter', {
  ...components('sorter', 'canary two'),
  public_key: undefined,
  drain_seconds: 60,
})
await givenAgent(app, client, 'writer', components('writer', 'canary three'))
const waiting = await givenAgent(app, stranger, 'waiting', components('waiting', 'Wait\u200b for me.'))

const sorterView = {
  app_id: 'app-one',
  agent_id: 'sorter',
  agent_status: 'active',
  grant: { access: [], outside_workflow: false },
  registration_id: second.registration_id,
  version: 2,
  status: 'active',
  checksum: second.checksum,
  checksum_profile: 'jcs',
  registered_at: ctx.now().toISOString(),
  pending: 0,
}

test('an administrator sees the agents of all clients, of one, or of one state, page by page (section 11)', async () => {
  const all = await asAdmin('GET', '/agents')
  const names = (items: { app_id: string; agent_id: string }[]) => items.map(item => `${item.app_id}/${item.agent_id}`)
  assert.deepEqual(names(all.body.items), ['app-one/sorter', 'app-one/writer', 'app-two/waiting'])
  assert.deepEqual(all.body.items[0], sorterView)
  const pending = await asAdmin('GET', '/agents?status=pending')
  assert.deepEqual([names(pending.body.items), pending.body.items[0].pending], [['app-two/waiting'], 1])
  assert.deepEqual(names((await asAdmin('GET', '/agents?client_id=app-two')).body.items), ['app-two/waiting'])
  const one = await asAdmin('GET', '/agents?limit=2')
  const two = await asAdmin('GET', `/agents?limit=2&cursor=${one.body.next_cursor}`)
  assert.deepEqual([names(two.body.items), two.body.next_cursor], [['app-two/waiting'], null])
  // [attack 109]: a place of one list is none of another.
  const forged = await asAdmin('GET', `/agents?limit=2&status=active&cursor=${one.body.next_cursor}`)
  assert.deepEqual([forged.status, forged.body.code], [400, 'invalid_request'])
  await asAdmin('POST', '/agents/app-one/writer/suspend', { reason: 'A try.' })
  assert.deepEqual(names((await asAdmin('GET', '/agents?status=suspended')).body.items), ['app-one/writer'])
  assert.deepEqual(names((await asAdmin('GET', '/agents/app-one?status=active')).body.items), ['app-one/sorter'])
  assert.equal((await asAdmin('GET', '/agents/nobody')).status, 404)
})

test('one agent has its owner, its keys, its newest versions and why it is suspended, never its prompts (section 11)', async () => {
  const { body } = await asAdmin('GET', '/agents/app-one/sorter')
  const { keys, registrations, ...record } = body
  assert.deepEqual(record, {
    ...sorterView,
    owner: 'user:local:anna',
    suspended: null,
    endorsed_keys: 0,
    max_drain_seconds: 3_600,
  })
  const added_at = new Date(ctx.now().getTime() - 1000).toISOString()
  const source = 'registered'
  assert.deepEqual(keys, [{ jkt: sorter.key.jkt, source, added_at, expires_at: null, endorsed_by: null }])
  assert.deepEqual(
    registrations.map((version: { version: number; status: string }) => [version.version, version.status]),
    [
      [2, 'active'],
      [1, 'draining'],
    ],
  )
  assert.deepEqual(registrations[0], {
    registration_id: second.registration_id,
    version: 2,
    status: 'active',
    checksum: second.checksum,
    checksum_profile: 'jcs',
    registered_at: ctx.now().toISOString(),
    registered_by: 'app-one',
    registered_owner: 'user:local:operator',
    drain_seconds: 60,
    drains_until: null,
    approved_at: null,
    approved_by: null,
    rejected_at: null,
    rejected_by: null,
    reject_reason: null,
    pending_for: [],
    proposed_grant: null,
    proposed_jkts: [],
  })
  const older = await asAdmin('GET', '/agents/app-one/sorter?below=2')
  assert.deepEqual(
    older.body.registrations.map((version: { version: number }) => version.version),
    [1],
  )
  assert.equal((await asAdmin('GET', '/agents/app-one/sorter?below=0')).status, 400)
  const paused = await asAdmin('GET', '/agents/app-one/writer')
  const at = ctx.now().toISOString()
  assert.deepEqual(paused.body.suspended, { by: admin.client_id, owner: 'user:local:otto', at, reason: 'A try.' })
  assert.equal(JSON.stringify([body, paused.body]).includes('canary'), false)
})

test('one version shows what it is made of and what it changes, hidden text made visible, and the read is audited (section 4)', async () => {
  await reads()
  const path = `/agents/app-one/sorter/versions/${sorter.registration_id}`
  const { status, body } = await asAdmin('GET', path)
  assert.deepEqual([status, body.client_id, body.agent_id, body.version], [200, 'app-one', 'sorter', 1])
  assert.equal(body.components.prompt, 'canary one')
  assert.deepEqual(body.against, { registration_id: second.registration_id, version: 2 })
  assert.deepEqual(body.diff.prompt, [
    { op: 'remove', text: 'canary two' },
    { op: 'add', text: 'canary one' },
  ])
  const [row, ...none] = await reads()
  assert.deepEqual([row?.client_id, row?.agent_id, row?.outcome], ['app-one', 'sorter', 'success'])
  assert.deepEqual(row?.details, {
    components_of: [sorter.registration_id, second.registration_id],
    caller: admin.client_id,
    acting_owner: 'user:local:otto',
  })
  assert.deepEqual(none, [])
  const current = await asAdmin('GET', `/agents/app-one/sorter/versions/${second.registration_id}`)
  assert.deepEqual(current.body.against, { registration_id: sorter.registration_id, version: 1 })
  assert.deepEqual(current.body.diff.prompt, [
    { op: 'remove', text: 'canary one' },
    { op: 'add', text: 'canary two' },
  ])
  const asked = await asAdmin('GET', `${path}?against=${sorter.registration_id}`)
  assert.deepEqual(asked.body.against, { registration_id: sorter.registration_id, version: 1 })
  const hidden = await asAdmin('GET', `/agents/app-two/waiting/versions/${waiting.registration_id}`)
  assert.equal(hidden.body.components.prompt.includes('\u200b'), false)
  assert.equal(hidden.body.warnings[0].code, 'hidden-characters')
  assert.deepEqual(
    [hidden.body.status, hidden.body.pending_for],
    ['pending', ['require_approval', 'hidden-characters']],
  )
})

test('[attack 118] a version is not shown, or compared, through the path of another agent (section 11)', async () => {
  await reads()
  const { registration_id } = waiting
  for (const path of [
    `/agents/app-one/sorter/versions/${registration_id}`,
    `/agents/app-one/sorter/versions/${second.registration_id}?against=${registration_id}`,
    `/agents/app-two/waiting/versions/${second.registration_id}`,
    '/agents/app-one/sorter/versions/reg_none_1',
  ]) {
    const { status, body } = await asAdmin('GET', path)
    assert.deepEqual([status, body.code], [404, 'not_found'], path)
  }
  const rows = await reads()
  assert.deepEqual(
    rows.map(row => [row.outcome, row.reason]),
    Array.from({ length: 4 }, () => ['refused', 'not_found']),
  )
})

test('[attack 93] prompts and tools go only to a token that also has read:agent-components, and that is audited (section 2)', async () => {
  await reads()
  for (const path of ['/intent/agents', '/intent/agents/app-one', '/intent/agents/app-one/sorter']) {
    const { status, body } = await asClient(path, readsAgents)
    assert.equal(status, 200)
    assert.equal(/canary|prompt_template|"tools"|configuration/.test(JSON.stringify(body)), false)
  }
  assert.deepEqual(await reads(), [])

  const parts = (prompt_template: string) => ({ prompt_template, tools: [TOOL], configuration: {} })
  const list = await asClient('/intent/agents/app-one')
  assert.deepEqual(list.body['app-one'][0], { ...sorterView, ...parts('canary two') })
  assert.equal(list.body['app-one'][1].prompt_template, 'canary three')
  assert.deepEqual((await asClient('/intent/agents')).body, list.body)
  const one = await asClient('/intent/agents/app-one/sorter')
  assert.equal(one.body.prompt_template, 'canary two')
  assert.deepEqual(
    one.body.registrations.map((version: { prompt_template: string }) => version.prompt_template),
    ['canary two', 'canary one'],
  )
  const rows = await reads()
  assert.deepEqual(
    rows.map(row => [row.client_id, row.agent_id, row.outcome]),
    [
      ['app-one', null, 'success'],
      ['app-one', null, 'success'],
      ['app-one', 'sorter', 'success'],
    ],
  )
  assert.deepEqual(rows.at(-1)?.details.components_of, [second.registration_id, sorter.registration_id])
  assert.equal(JSON.stringify(rows).includes('canary'), false)
})

test('[attack 93] nobody reads another client’s agents, with whatever scope (section 10)', async () => {
  for (const token of [readsAgents, readsComponents]) {
    for (const path of ['', '/waiting']) {
      const foreign = await asClient(`/intent/agents/app-two${path}`, token)
      const unknown = await asClient(`/intent/agents/nobody${path}`, token)
      assert.deepEqual([foreign.status, unknown.status], [404, 404])
      assert.equal(foreign.body.error_description, unknown.body.error_description)
    }
  }
})

test('another owner than the client’s adds a key; removing one takes what it endorsed with it (section 4)', async () => {
  const key = await generateKey('EdDSA')
  const path = '/agents/app-one/sorter/keys'
  const added = await asAdmin('POST', path, { jwk: key.jwk })
  const added_at = ctx.now().toISOString()
  const view = { jkt: key.jkt, source: 'registered', added_at, expires_at: null, endorsed_by: null }
  assert.deepEqual([added.status, added.body], [201, view])
  const endorsed = await generateKey()
  await ctx.db
    .insertInto('agent_key')
    .values({
      ...{ jkt: endorsed.jkt, client_id: 'app-one', agent_id: 'sorter', source: 'endorsed', endorsed_by: key.jkt },
      ...{ jwk: JSON.stringify(endorsed.jwk), added_at: ctx.now(), removed_at: null },
      expires_at: new Date(ctx.now().getTime() + 3_600_000),
    })
    .execute()
  const removed = await asAdmin('DELETE', `${path}/${key.jkt}`)
  assert.deepEqual([removed.status, removed.body], [200, { jkt: key.jkt, endorsed_keys: 1 }])
  const { keys } = (await asAdmin('GET', '/agents/app-one/sorter')).body
  assert.deepEqual(
    keys.map((held: { jkt: string }) => held.jkt),
    [sorter.key.jkt],
  )
  assert.equal((await asAdmin('DELETE', `${path}/${key.jkt}`)).status, 404)
  const acts = await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'agent_id'])
    .where('action', 'in', ['agent_key.add', 'agent_key.remove'])
    .orderBy('action')
    .orderBy('outcome', 'desc')
    .execute()
  assert.deepEqual(acts, [
    { action: 'agent_key.add', outcome: 'success', agent_id: 'sorter' },
    { action: 'agent_key.remove', outcome: 'success', agent_id: 'sorter' },
    { action: 'agent_key.remove', outcome: 'refused', agent_id: 'sorter' },
  ])
})

test('[attack 118] the client’s own owner adds no key, nor anybody one of another agent or a seventeenth (section 4)', async () => {
  const anna = await givenAdmin(app, { owner: 'user:local:anna' })
  const token = await accessToken(app, anna, { resource: `${issuer}/admin`, scope: 'approve:agents' })
  const url = `${adminUrl}/admin/v1/agents/app-one/sorter/keys`
  const own = await call(anna, token, 'POST', url, { jwk: (await generateKey()).jwk })
  assert.deepEqual([own.status, own.body.code], [403, 'forbidden'])
  const taken = await asAdmin('POST', '/agents/app-one/writer/keys', { jwk: sorter.key.jwk })
  assert.deepEqual([taken.status, taken.body.code], [400, 'invalid_request'])
  // Of another agent it cannot be removed either.
  assert.equal((await asAdmin('DELETE', `/agents/app-one/writer/keys/${sorter.key.jkt}`)).status, 404)
  for (let n = 1; n < 16; n += 1) {
    assert.equal((await asAdmin('POST', '/agents/app-one/sorter/keys', { jwk: (await generateKey()).jwk })).status, 201)
  }
  const tooMany = await asAdmin('POST', '/agents/app-one/sorter/keys', { jwk: (await generateKey()).jwk })
  assert.deepEqual([tooMany.status, tooMany.body.code], [400, 'invalid_request'])
})

test('every act on an agent takes a body without unknown members (attack 97)', async () => {
  const named = { registration_id: 'x', checksum: 'y' }
  for (const [act, body] of [
    ['approve', named],
    ['reject', { ...named, reason: 'z' }],
    ['retire', { registration_id: 'x' }],
    ['rollback', named],
    ['suspend', { reason: 'z' }],
    ['resume', {}],
    ['keys', { jwk: {} }],
  ] as const) {
    const { status, body: problem } = await asAdmin('POST', `/agents/app-one/sorter/${act}`, { ...body, by: 'me' })
    assert.deepEqual([act, status, problem.code], [act, 400, 'invalid_request'])
  }
})

test('[attack 125] a replaced version is not approved, nor one’s own proposal through a second client of the same owner (section 4)', async () => {
  const careful = await givenClient(app, { client_id: 'app-careful', policies: { require_approval: true } })
  const first = await givenAgent(app, careful, 'careful', components('careful', 'One.'))
  const newest = await givenAgent(app, careful, 'careful', { ...components('careful', 'Two.'), public_key: undefined })
  const path = '/agents/app-careful/careful/approve'
  const named = ({ registration_id, checksum }: typeof first) => ({ registration_id, checksum })
  const replaced = await asAdmin('POST', path, named(first))
  assert.deepEqual([replaced.status, replaced.body.code], [409, 'conflict'])
  const second = await givenAdmin(app, { owner: 'user:local:anna' })
  const token = await accessToken(app, second, { resource: `${issuer}/admin`, scope: 'approve:agents' })
  const own = await call(second, token, 'POST', `${adminUrl}/admin/v1${path}`, named(newest))
  assert.deepEqual([own.status, own.body.code], [403, 'forbidden'])
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason'])
    .where('action', '=', 'agent.approve')
    .where('agent_id', '=', 'careful')
    .orderBy('reason')
    .execute()
  assert.deepEqual(rows, [
    { outcome: 'refused', reason: 'own_proposal' },
    { outcome: 'refused', reason: 'replaced' },
  ])
  assert.equal((await asAdmin('POST', path, named(newest))).body.status, 'active')
})
