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
const { issuer, adminUrl } = app
await givenResource(app, { resource: CRM, scopes: [{ name: 'read' }, { name: 'write' }] })
const admin = await givenAdmin(app)
const client = await givenClient(app)
const stranger = await givenClient(app)
const everyAdminScope = 'admin:clients admin:resources approve:agents revoke audit:read'
const adminToken = await accessToken(app, admin, { resource: `${issuer}/admin`, scope: everyAdminScope })
const issuerScope = 'register:intent register:workflow read:agents'
const clientToken = await accessToken(app, client, { resource: issuer, scope: issuerScope })
const strangerToken = await accessToken(app, stranger, { resource: issuer, scope: issuerScope })

const shownSecrets: string[] = []

type Sent = { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }

async function call(by: GivenClient, token: string, method: string, url: string, sent: Sent = {}) {
  const bound = await boundHeaders(app, by, token, { method, url: url.split('?', 1)[0] ?? url })
  const json = sent.body === undefined ? {} : { 'content-type': 'application/json' }
  const body = sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }
  const response = await fetch(url, { method, headers: { ...bound, ...json, ...sent.headers }, ...body })
  return { status: response.status, body: JSON.parse(await response.text()), headers: response.headers }
}

function asAdmin(method: string, path: string, sent: Sent = {}) {
  return call(admin, adminToken, method, `${adminUrl}/admin/v1${path}`, sent)
}

function asClient(method: string, path: string, sent: Sent = {}) {
  return call(client, clientToken, method, `${issuer}${path}`, sent)
}

const SECRET_CLIENT = {
  client_name: 'Shop',
  owner: 'user:local:anna',
  kind: 'app',
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['agent_checksum'],
  access: [{ resource: CRM, scope: 'read' }],
}

function agentBody(agent_id: string, prompt_template = 'You sort mail.') {
  return { app_id: client.client_id, agent_components: { agent_id, prompt_template, tools: [] } }
}

test('a client is made and read over HTTP; its repeat has no secret (section 11)', async () => {
  const headers = { 'idempotency-key': 'make-shop' }
  const made = await asAdmin('POST', '/clients', { body: SECRET_CLIENT, headers })
  assert.equal(made.status, 201)
  assert.equal(made.headers.get('idempotency-replayed'), null)
  const { client_secret, ...view } = made.body
  shownSecrets.push(client_secret)
  assert.match(client_secret, /^[A-Za-z0-9_-]{44}$/)
  const again = await asAdmin('POST', '/clients', { body: SECRET_CLIENT, headers })
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed'), again.body], [201, 'true', view])
  const read = await asAdmin('GET', `/clients/${view.client_id}`)
  assert.deepEqual([read.status, read.body], [200, view])
  const reused = await asAdmin('POST', '/clients', { body: { ...SECRET_CLIENT, client_name: 'Other' }, headers })
  assert.deepEqual([reused.status, reused.body.code], [422, 'idempotency_key_reused'])
})

test('lists are cut into pages that follow each other, and forged cursors are refused (attacks.md 109)', async () => {
  const first = await asAdmin('GET', '/clients?limit=2')
  assert.equal(first.body.items.length, 2)
  const next = await asAdmin('GET', `/clients?limit=2&cursor=${first.body.next_cursor}`)
  assert.equal(next.status, 200)
  assert.notDeepEqual(next.body.items[0], first.body.items[0])
  const forged = await asAdmin('GET', '/clients?cursor=AAAA')
  assert.deepEqual([forged.status, forged.body.code], [400, 'invalid_request'])
  for (const limit of ['0', '201', '-1', '1e1', ' 1', '']) {
    assert.equal((await asAdmin('GET', `/clients?limit=${encodeURIComponent(limit)}`)).status, 400)
  }
})

test('a resource is registered and read by its name (section 11)', async () => {
  const resource = 'https://mail.example/api'
  const made = await asAdmin('POST', '/resources', { body: { resource, scopes: [{ name: 'send', approval: true }] } })
  assert.deepEqual(
    [made.status, made.body],
    [
      201,
      {
        resource,
        scopes: [{ name: 'send', workflow: false, approval: true }],
        token_profile: 'interop',
        signing_alg: 'ES256',
        max_token_lifetime: 300,
        allow_bearer: false,
        client_id: null,
        chain_disclosure: 'actors',
        workflow_names: 'plain',
        status: 'active',
        created_at: app.ctx.now().toISOString(),
        updated_at: null,
      },
    ],
  )
  const read = await asAdmin('GET', `/resources?resource=${encodeURIComponent(resource)}`)
  assert.deepEqual(read.body, { items: [made.body], next_cursor: null })
  assert.equal((await asAdmin('GET', '/resources?resource=https%3A%2F%2Fnone.example')).status, 404)
})

test('an agent is registered, read without its components, and refused a second time (section 4)', async () => {
  const key = await generateKey()
  const body = { ...agentBody('reader', 'canary-prompt'), public_key: key.jwk }
  const made = await asClient('POST', '/intent/register/agent', { body })
  assert.equal(made.status, 200)
  const { registration_id, checksum } = made.body
  assert.deepEqual(made.body, { agent_id: 'reader', registration_id, checksum, version: 1, status: 'active' })
  const read = await asClient('GET', `/intent/agents/${client.client_id}`)
  assert.deepEqual(read.body[client.client_id], [
    {
      app_id: client.client_id,
      agent_id: 'reader',
      agent_status: 'active',
      grant: { access: [], outside_workflow: false },
      registration_id,
      version: 1,
      status: 'active',
      checksum,
      checksum_profile: 'jcs',
      registered_at: app.ctx.now().toISOString(),
      pending: 0,
    },
  ])
  const one = await asClient('GET', `/intent/agents/${client.client_id}/reader`)
  assert.deepEqual([one.status, one.body.keys[0].jkt], [200, key.jkt])
  assert.equal(JSON.stringify([read.body, one.body]).includes('canary-prompt'), false)
  const again = await asClient('POST', '/intent/register/agent', { body })
  assert.deepEqual(
    [again.status, again.body],
    [
      400,
      {
        error: 'duplicate_agent',
        error_description: again.body.error_description,
        error_uri: `${issuer}/errors/duplicate_agent`,
        registration_id,
        existing_agent_id: 'reader',
        checksum,
      },
    ],
  )
})

test('a claimed checksum that differs is 400 and says agent_checksum_mismatch (section 4)', async () => {
  const body = { ...agentBody('claimer'), claimed_checksum: `sha256:${'0'.repeat(64)}` }
  const { status, body: answer } = await asClient('POST', '/intent/register/agent', { body })
  assert.deepEqual([status, answer.error], [400, 'agent_checksum_mismatch'])
})

test('a workflow is registered, skipped the second time, and read (section 5)', async () => {
  await givenAgent(app, client, 'sorter')
  const body = { workflow_id: 'mail', steps: { sort: { agent_id: 'sorter', required: true } } }
  const made = await asClient('POST', '/intent/register/workflow', { body })
  assert.deepEqual([made.status, made.body], [200, { status: 'registered', workflow_id: 'mail', version: 1 }])
  const again = await asClient('POST', '/intent/register/workflow', { body })
  assert.deepEqual(again.body, { status: 'skipped', workflow_id: 'mail', version: 1 })
  const read = await asClient('GET', `/intent/workflows/${client.client_id}`)
  const [flow] = read.body[client.client_id]
  assert.deepEqual([flow.workflow_id, flow.workflow_type, flow.steps.sort.agent], ['mail', 'dag', 'sorter'])
})

test('[attack 93] another client’s agents and workflows answer like unknown ones (section 4)', async () => {
  for (const path of ['agents', 'workflows']) {
    const foreign = await call(stranger, strangerToken, 'GET', `${issuer}/intent/${path}/${client.client_id}`)
    const unknown = await call(stranger, strangerToken, 'GET', `${issuer}/intent/${path}/nobody`)
    assert.deepEqual([foreign.status, foreign.body], [404, unknown.body])
  }
  const body = agentBody('mine-now')
  const taken = await call(stranger, strangerToken, 'POST', `${issuer}/intent/register/agent`, { body })
  assert.deepEqual([taken.status, taken.body.error], [400, 'unauthorized_client'])
})

test('[attack 97] unknown members are refused, by every route that takes a body', async () => {
  const extra = { approved_by: 'me' }
  const bodies = [
    ['/clients', { ...SECRET_CLIENT, ...extra }],
    ['/resources', { resource: 'https://x.example', scopes: [{ name: 'a' }], ...extra }],
    ['/revocations', { kind: 'client', id: 'x', reason: 'y', ...extra }],
    [`/agents/${client.client_id}/reader/approve`, { registration_id: 'x', checksum: 'y', ...extra }],
    [`/workflows/${client.client_id}/mail/approve`, { version: 1, ...extra }],
  ] as const
  for (const [path, body] of bodies) {
    const { status, body: problem } = await asAdmin('POST', path, { body })
    assert.deepEqual([path, status, problem.code], [path, 400, 'invalid_request'])
  }
  for (const [path, body] of [
    ['agent', { ...agentBody('x'), ...extra }],
    ['workflow', { workflow_id: 'w', steps: [{ step_id: 'a' }], ...extra }],
  ] as const) {
    const { status, body: answer } = await asClient('POST', `/intent/register/${path}`, { body })
    assert.deepEqual([path, status, answer.error], [path, 400, 'invalid_request'])
  }
})

test('[attack 98] a version is a number that can be one, not a text that looks like it', async () => {
  for (const version of ['1', true, [1], null, 1.5, 0, 2_147_483_648]) {
    const { status } = await asAdmin('POST', `/workflows/${client.client_id}/mail/approve`, { body: { version } })
    assert.equal(status, 400)
  }
})

test('[attack 118] a token of the public API, or one without the scope, opens nothing of the admin API', async () => {
  const url = `${adminUrl}/admin/v1/clients`
  assert.equal((await call(client, clientToken, 'GET', url)).status, 401)
  const narrow = await accessToken(app, admin, { resource: `${issuer}/admin`, scope: 'audit:read' })
  const refused = await call(admin, narrow, 'GET', url)
  assert.deepEqual([refused.status, refused.body.code], [403, 'insufficient_scope'])
  assert.equal((await fetch(url)).status, 401)
  assert.equal((await fetch(url, { method: 'POST' })).status, 401)
})

test('a pending version is seen and approved by another owner over HTTP (section 4)', async () => {
  const policies = { require_approval: true }
  const careful = await givenClient(app, { policies })
  const token = await accessToken(app, careful, { resource: issuer, scope: 'register:intent' })
  const body = { ...agentBody('careful', 'Be\u200b careful.'), app_id: careful.client_id }
  const made = await call(careful, token, 'POST', `${issuer}/intent/register/agent`, { body })
  assert.equal(made.body.status, 'pending')
  const path = `/agents/${careful.client_id}/careful`
  const seen = await asAdmin('GET', path)
  assert.deepEqual(seen.body.registrations[0].pending_for, ['require_approval', 'hidden-characters'])
  const { registration_id, checksum } = made.body
  const approved = await asAdmin('POST', `${path}/approve`, { body: { registration_id, checksum } })
  assert.deepEqual([approved.status, approved.body], [200, { ...made.body, status: 'active' }])
})

test('a revoked client is refused at once, everywhere (section 9)', async () => {
  const gone = await givenClient(app)
  const token = await accessToken(app, gone, { resource: issuer, scope: 'read:agents' })
  const url = `${issuer}/intent/agents/${gone.client_id}`
  assert.equal((await call(gone, token, 'GET', url)).status, 200)
  const body = { kind: 'client', id: gone.client_id, reason: 'left' }
  const revoked = await asAdmin('POST', '/revocations', { body })
  assert.deepEqual(
    [revoked.status, revoked.body],
    [
      201,
      {
        kind: 'client',
        id: gone.client_id,
        revoked: { token: 0, registration: 0, agent: 0, client: 1, execution: 0, workflow: 0, initiator: 0, key: 0 },
        delegations: 0,
        live_tokens: 1,
        live_tokens_at_least: false,
        revoked_at: app.ctx.now().toISOString(),
        ends_at: new Date(app.ctx.now().getTime() + 960_000).toISOString(),
        final: true,
      },
    ],
  )
  assert.equal((await call(gone, token, 'GET', url)).status, 401)
  assert.equal((await asAdmin('POST', '/revocations', { body: { ...body, kind: 'execution' } })).body.code, 'not_found')
})

test('the audit trail is read newest first, or from an id on (section 11)', async () => {
  const newest = await asAdmin('GET', `/audit?limit=2&client_id=${client.client_id}`)
  assert.equal(newest.body.items.length, 2)
  const older = newest.body.items[1].id
  assert.equal(newest.body.next_cursor, older)
  const later = await asAdmin('GET', `/audit?after=${older}&client_id=${client.client_id}`)
  assert.equal(later.body.items[0].id > older, true)
  assert.equal((await asAdmin('GET', "/audit?after=' or 1=1 --")).status, 400)
})

test('[attack 93] neither the audit trail nor the log holds a prompt or a secret', async () => {
  const made = await asAdmin('POST', '/clients', { body: SECRET_CLIENT })
  shownSecrets.push(made.body.client_secret)
  const registered = await asClient('POST', '/intent/register/agent', { body: agentBody('secretive', 'canary-prompt') })
  assert.deepEqual([made.status, registered.status], [201, 200])
  const rows = await app.ctx.db.selectFrom('audit_event').select(['details', 'reason', 'actor']).execute()
  const kept = JSON.stringify(rows) + app.log.join('')
  assert.equal(kept.includes('canary-prompt'), false)
  for (const secret of shownSecrets) {
    assert.match(secret, /^[A-Za-z0-9_-]{44}$/)
    assert.equal(kept.includes(secret), false)
  }
})
