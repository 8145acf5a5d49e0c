import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import { changeTrustedIssuer, deleteTrustedIssuer } from '../../src/server/registry/trusted-issuer-changes.ts'
import { enterGateExclusive } from '../../src/server/store/gate.ts'
import { caller } from '../registry/given.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { accessToken, boundHeaders, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { givenWorkflow, mint } from '../support/recorded.ts'
import { exchange, foreignToken, givenTrustedIssuer, JWT_TYPE } from './foreign.ts'

/* What was read by a record of a trusted issuer counts only while the record is as it was read (protocol.md section 9). */

const app = await startTestApp()
const { ctx, issuer } = app
const API = 'https://api.example.test'
await givenResource(app, { resource: API, scopes: [{ name: 'read' }] })
const key = await generateKey()
const own = { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' }
const access = [{ resource: API, scope: 'read' }]
const client = await givenClient(app, {
  grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, TOKEN_EXCHANGE_GRANT],
  access: [own, ...access],
})
const planner = await givenAgent(app, client, 'planner', { grant: { access } })
await givenWorkflow(app, client, 'flow', [{ step_id: 'plan', agent_id: 'planner', required: true }])

/** Runs `request` so that it has read everything when `change` is committed, and writes only then. */
async function meanwhile<T>(request: () => Promise<T>, change: (tx: Context) => Promise<unknown>): Promise<T> {
  let running: Promise<T> | undefined
  await transaction(ctx, async tx => {
    await enterGateExclusive(tx)
    let isOver = false
    running = request().finally(() => {
      isOver = true
    })
    while (!isOver && !(await isAtGate())) await new Promise(resolve => setImmediate(resolve))
    await change(tx)
  })
  assert.ok(running)
  return await running
}

async function isAtGate(): Promise<boolean> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from pg_locks where not granted and locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`.execute(ctx.db)
  return (rows[0]?.n ?? 0) > 0
}

async function givenIssuer(name: string, purpose: 'user' | 'workload') {
  const workload = { claims: { a: 1 }, access: [{ resource: issuer, scope: 'register:intent' }] }
  const record = { name, purpose, audience: name, clients: [client.client_id] }
  await givenTrustedIssuer(app, key, { ...record, ...(purpose === 'workload' && workload) })
  return async () => await foreignToken(app, key, { aud: name, a: 1, jti: ctx.randomId() })
}

test('an exchange under way is judged by the record of the issuer as it is after a change (sections 6 and 9)', async () => {
  const token = await givenIssuer('ci', 'workload')
  const subject_token = await token()
  const ask = () => exchange(app, client, { subject_token, scope: 'register:intent' })
  const other = { claims: { a: 2 } }
  const { status, body } = await meanwhile(ask, tx => changeTrustedIssuer(tx, caller(), 'ci', other))
  assert.deepEqual([status, body.error], [400, 'invalid_request'])
  const same = { max_age: 299, claims: { a: 1 } }
  assert.equal((await meanwhile(ask, tx => changeTrustedIssuer(tx, caller(), 'ci', same))).status, 400)
  const allowed = await meanwhile(ask, tx => changeTrustedIssuer(tx, caller(), 'ci', { max_age: 298 }))
  assert.equal(allowed.status, 200, JSON.stringify(allowed.body))
})

test('a mint for a user whose issuer is deleted meanwhile mints nothing, nor does it open an execution (section 9)', async () => {
  const token = await givenIssuer('people', 'user')
  const more = { subject_token: await token(), subject_token_type: JWT_TYPE }
  const ask = () =>
    mint(app, client, planner, { resource: API, scope: 'read', workflow_id: 'flow', step: 'plan', more })
  const { status, body } = await meanwhile(ask, tx => deleteTrustedIssuer(tx, 'people', 'test'))
  assert.deepEqual([status, body.error], [400, 'invalid_request'])
  assert.deepEqual(await ctx.db.selectFrom('execution').select('execution_id').execute(), [])
})

test('an execution is not opened ahead by a record that changed meanwhile: the client asks again (section 6)', async () => {
  const token = await givenIssuer('staff', 'user')
  const body = JSON.stringify({ workflow_id: 'flow', subject_token: await token() })
  const url = `${issuer}/intent/executions`
  const bearer = await accessToken(app, client, { resource: issuer, scope: 'generate:intent-token' })
  const open = async () => {
    const headers = await boundHeaders(app, client, bearer, { method: 'POST', url })
    return await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body })
  }
  const late = await meanwhile(open, tx => changeTrustedIssuer(tx, caller(), 'staff', { max_age: 200 }))
  assert.equal(late.status, 400)
  const row = await ctx.db
    .selectFrom('audit_event')
    .select('reason')
    .where('action', '=', 'execution.open')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  assert.equal(row.reason, 'issuer_changed')
  assert.equal((await open()).status, 201)
})
