import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transaction } from '../../src/server/context.ts'
import { openExecution } from '../../src/server/registry/executions.ts'
import { deregisterWorkflow } from '../../src/server/registry/workflow-deregistration.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import {
  accessToken,
  boundHeaders,
  type GivenClient,
  givenAgent,
  givenClient,
  givenResource,
} from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { givenWorkflow, mint } from '../support/recorded.ts'
import { ACCESS_TOKEN_TYPE, foreignToken, givenTrustedIssuer, ID_TOKEN_TYPE, JWT_TYPE } from '../token/foreign.ts'
import { caller, refused } from './given.ts'
import { revoke } from './given-revocation.ts'

/* POST /intent/executions over HTTP (protocol.md sections 2 and 6). */

const app = await startTestApp()
const { ctx, clock, issuer } = app
const API = 'https://api.example.test'
await givenResource(app, { resource: API, scopes: [{ name: 'read' }, { name: 'write' }] })
const foreignKey = await generateKey()
const own = { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' }
const access = [{ resource: API, scope: 'read write' }]
const STEPS = [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'report', agent_id: 'planner' },
]

/** A client with workflow `flow`, and a trusted issuer of its users by its own name, who may only read. */
async function scene(overrides: object = {}) {
  const client = await givenClient(app, { access: [...access, own], ...overrides })
  const { client_id } = client
  const planner = await givenAgent(app, client, 'planner', { grant: { access } })
  await givenWorkflow(app, client, 'flow', STEPS)
  const clients = [client_id]
  await givenTrustedIssuer(app, foreignKey, {
    ...{ name: client_id, clients, audience: client_id },
    access: [{ resource: API, scope: 'read' }],
  })
  const userToken = async (payload: object = {}) =>
    await foreignToken(app, foreignKey, { aud: client_id, jti: ctx.randomId(), ...payload })
  const join = async (execution_id: unknown, scope = 'read', step = 'plan') => {
    clock.advance(1)
    const ask = { resource: API, scope, workflow_id: 'flow', step, execution_id: String(execution_id) }
    return await mint(app, client, planner, ask)
  }
  return { client, client_id, planner, userToken, join, initiator: `user:${client_id}:42` }
}

async function open(client: GivenClient, body: object, headers: Readonly<Record<string, string>> = {}) {
  // Audit rows of one instant have no order among themselves.
  clock.advance(1)
  const url = `${issuer}/intent/executions`
  const token = await accessToken(app, client, { resource: issuer, scope: 'generate:intent-token' })
  const bound = await boundHeaders(app, client, token, { method: 'POST', url })
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...bound, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ workflow_id: 'flow', ...body }),
  })
  const { request_id: _, ...answer } = await jsonOf(response)
  return { status: response.status, body: answer, replayed: response.headers.get('idempotency-replayed') }
}

/** Why the last act or mint of a client was refused, by its audit rows. */
async function reasonOf(client_id: string, action: 'execution.open' | 'token.issue' = 'execution.open') {
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason'])
    .where('action', '=', action)
    .where('client_id', '=', client_id)
    .orderBy('id', 'desc')
    .limit(1)
    .execute()
  return rows[0]?.outcome === 'refused' ? rows[0].reason : undefined
}

async function executionsOf(client_id: string): Promise<number> {
  const rows = await ctx.db.selectFrom('execution').select('execution_id').where('client_id', '=', client_id).execute()
  return rows.length
}

test('a user’s token makes the user the initiator, and what the user may is a ceiling of every mint (section 6)', async () => {
  const { client, client_id, userToken, join, initiator } = await scene()
  const { status, body } = await open(client, { subject_token: await userToken() })
  const opened_at = clock.now()
  const { execution_id, ...rest } = body
  assert.match(String(execution_id), /^exe_[A-Za-z0-9_-]{22}$/)
  assert.deepEqual(
    [status, rest],
    [
      201,
      {
        ...{ client_id, workflow_id: 'flow', workflow_version: 1, initiated_by: initiator, intent_digest: null },
        ...{ limits: { max_tokens: 16, max_children: 16, max_nodes: 256 }, status: 'open', ended_at: null },
        ...{ opened_at: opened_at.toISOString(), opened_by: client_id, tokens_minted: 0 },
        expires_at: new Date(opened_at.getTime() + 3_600_000).toISOString(),
      },
    ],
  )
  const beyond = await join(execution_id, 'read write')
  assert.deepEqual([beyond.status, beyond.body.error], [400, 'invalid_scope'])
  const { claims } = await join(execution_id)
  assert.deepEqual([claims?.sub, claims?.intent?.initiated_by], [initiator, initiator])
  assert.equal(claims?.intent?.execution_id, execution_id)
  assert.equal((await join(execution_id, 'write', 'report')).body.error, 'invalid_scope')
  assert.equal((await join(execution_id, 'read', 'report')).status, 200)
})

test('without a subject token the client is the initiator, and only its own access is a ceiling (section 6)', async () => {
  const { client, client_id, join } = await scene()
  const { status, body } = await open(client, {})
  assert.deepEqual([status, body.initiated_by], [201, client_id])
  assert.equal((await join(body.execution_id, 'read write')).status, 200)
  assert.notEqual((await open(client, {})).body.execution_id, body.execution_id)
})

test('the same user token again finds the execution that it opened: 201 first, then 200 (section 6)', async () => {
  const { client, client_id, userToken } = await scene()
  await givenWorkflow(app, client, 'other', STEPS)
  const subject_token = await userToken()
  const first = await open(client, { subject_token })
  const again = await open(client, { subject_token, expires_in: 7_200 })
  assert.deepEqual([first.status, again.status], [201, 200])
  assert.deepEqual(again.body, first.body)
  assert.equal(await executionsOf(client_id), 1)
  const elsewhere = await open(client, { subject_token, workflow_id: 'other' })
  const another = await open(client, { subject_token: await userToken() })
  assert.deepEqual([elsewhere.status, another.status, await executionsOf(client_id)], [201, 201, 3])
})

test('the same user token never finds an execution that is less bounded than what is asked for now (section 6)', async () => {
  const { client, client_id, userToken } = await scene()
  const subject_token = await userToken()
  const bounds = { intent_digest: 'q'.repeat(43), limits: { max_tokens: 2 }, expires_in: 600 }
  const first = await open(client, { subject_token, ...bounds })
  const rows: readonly object[] = [
    { intent_digest: 'r'.repeat(43) },
    { limits: { max_tokens: 1 } },
    { limits: { max_children: 15 } },
    { limits: { max_nodes: 255 } },
    { expires_in: 500 },
  ]
  for (const other of rows) {
    const { status, body } = await open(client, { subject_token, ...bounds, ...other })
    assert.deepEqual([status, body.error], [400, 'invalid_request'], JSON.stringify(other))
    assert.equal(await reasonOf(client_id), 'opened_otherwise')
  }
  for (const same of [bounds, {}, { ...bounds, limits: { max_tokens: 3 }, expires_in: 7_200 }]) {
    assert.deepEqual(await open(client, { subject_token, ...same }), { ...first, status: 200 })
  }
  assert.equal(await executionsOf(client_id), 1)
  const longer = await userToken()
  const long = await open(client, { subject_token: longer, expires_in: 7_200 })
  assert.deepEqual(await open(client, { subject_token: longer }), { ...long, status: 200 })
  clock.advance(-3)
  const repeated = await open(client, { subject_token: longer, expires_in: 7_200 })
  assert.equal(repeated.status, 200, 'at a node whose clock is behind')
  const short = await userToken()
  assert.equal((await open(client, { subject_token: short, expires_in: 1 })).status, 201)
  clock.advance(2)
  assert.equal((await open(client, { subject_token: short })).status, 400)
  assert.equal(await reasonOf(client_id), 'opened_and_ended')
})

test('a mint by the same user token, and no execution_id, joins what was opened ahead, with its intent and limits (section 6)', async () => {
  const { client, client_id, planner, userToken } = await scene()
  const subject_token = await userToken()
  const intent_digest = 'q'.repeat(43)
  const { body } = await open(client, { subject_token, intent_digest, limits: { max_tokens: 1 } })
  const more = { subject_token, subject_token_type: JWT_TYPE }
  const ask = { resource: API, scope: 'read', workflow_id: 'flow', step: 'plan', more }
  const { claims } = await mint(app, client, planner, ask)
  assert.deepEqual([claims?.intent?.execution_id, claims?.intent?.intent_digest], [body.execution_id, intent_digest])
  assert.equal((await mint(app, client, planner, ask)).body.ajwt_error, 'limit_exceeded')
  assert.equal(await executionsOf(client_id), 1)
})

test('[attack 131] an operator’s token, a bound one, another client’s, an old one and no token at all open nothing (section 6)', async () => {
  const { client, client_id, userToken } = await scene()
  const other = await scene()
  await givenTrustedIssuer(app, foreignKey, {
    ...{ name: `${client_id}-staff`, purpose: 'operator', audience: `${client_id}-staff`, clients: [client_id] },
    claims: { tid: 'acme' },
    access: [{ resource: `${issuer}/admin`, scope: 'approve:steps' }],
  })
  const rows: readonly [subject_token: string, reason: string][] = [
    [await userToken({ aud: `${client_id}-staff`, tid: 'acme' }), 'subject_token_claims'],
    [await userToken({ cnf: { jkt: client.dpopKey.jkt } }), 'subject_token_unproven'],
    [await other.userToken(), 'subject_token_claims'],
    [await userToken({ iss: 'https://elsewhere.example.com' }), 'subject_token_issuer'],
    [await userToken({ iat: clock.seconds() - 600, exp: clock.seconds() - 300 }), 'exp_passed'],
    ['garbage', 'malformed_jws'],
    [await accessToken(app, client, { resource: API, scope: 'read' }), 'subject_token_own'],
  ]
  for (const [subject_token, reason] of rows) {
    const { status, body } = await open(client, { subject_token })
    const { error, error_description } = body
    assert.deepEqual([status, error], [400, 'invalid_request'], reason)
    assert.equal(error_description, 'The subject token is not one that is accepted here.')
    assert.equal(await reasonOf(client_id), reason)
  }
  assert.equal(await executionsOf(client_id), 0)
})

test('a subject token without its type is a JWT; with a type it must be of it (RFC 8693 section 3)', async () => {
  const { client, client_id, userToken } = await scene()
  const subject_token = await userToken()
  const wrong = await open(client, { subject_token, subject_token_type: ACCESS_TOKEN_TYPE })
  assert.deepEqual([wrong.status, await reasonOf(client_id)], [400, 'subject_token_type'])
  assert.equal((await open(client, { subject_token })).status, 201)
  assert.equal((await open(client, { subject_token, subject_token_type: ID_TOKEN_TYPE })).status, 200)
})

test('limits lower those of the client and hold in every mint; above the client they are refused (section 6)', async () => {
  const limits = { max_tokens: 4, max_children: 2, max_nodes: 8 }
  const { client, client_id, join } = await scene({ policies: { limits } })
  const opened = await open(client, { limits: { max_tokens: 1 } })
  assert.deepEqual(opened.body.limits, { ...limits, max_tokens: 1 })
  const { execution_id } = opened.body
  assert.equal((await join(execution_id)).status, 200)
  const second = await join(execution_id)
  assert.deepEqual([second.status, second.body.ajwt_error], [403, 'limit_exceeded'])
  const small = await open(client, { limits: { max_nodes: 1 } })
  assert.equal((await join(small.body.execution_id)).status, 200)
  assert.equal((await join(small.body.execution_id, 'read', 'report')).body.ajwt_error, 'limit_exceeded')
  for (const more of [{ max_tokens: 5 }, { max_children: 3 }, { max_nodes: 9 }]) {
    const { status, body } = await open(client, { limits: more })
    assert.deepEqual([status, body.error], [400, 'invalid_request'])
    assert.equal(await reasonOf(client_id), 'limits_above_client')
  }
  assert.equal(await executionsOf(client_id), 2)
})

test('only a client whose workflows are recorded has executions (section 6)', async () => {
  const { client, client_id } = await scene({ policies: { workflow_state: 'asserted' } })
  const { status, body } = await open(client, {})
  assert.deepEqual([status, body.error, await reasonOf(client_id)], [400, 'invalid_request', 'recorded_only'])
})

test('[attack 80] another client’s workflow is answered like one that is not there (section 6)', async () => {
  const [rival, { client, client_id }] = [await scene(), await scene()]
  await givenWorkflow(app, rival.client, 'theirs', STEPS)
  const theirs = await open(client, { workflow_id: 'theirs' })
  assert.equal(await reasonOf(client_id), 'unknown_workflow')
  const none = await open(client, { workflow_id: 'nowhere' })
  assert.deepEqual([theirs.status, theirs.body], [400, none.body])
  assert.equal(await executionsOf(rival.client_id), 0)
})

test('a revoked initiator opens nothing while its entry stands (section 9)', async () => {
  const { client, client_id, userToken, initiator } = await scene()
  await revoke(ctx, 'initiator', initiator)
  clock.advance(11)
  const { status, body } = await open(client, { subject_token: await userToken() })
  assert.deepEqual([status, body.error], [400, 'unauthorized_client'])
  assert.equal(await reasonOf(client_id), 'initiator_revoked')
  assert.equal((await open(client, { subject_token: await userToken({ sub: '43' }) })).status, 201)
  clock.advance(961)
  assert.equal((await open(client, { subject_token: await userToken() })).status, 201)
})

test('a revoked client opens nothing, also where it was revoked after its token was checked (section 9)', async () => {
  const { client, client_id } = await scene()
  const token = await accessToken(app, client, { resource: issuer, scope: 'generate:intent-token' })
  await revoke(ctx, 'client', client_id)
  const url = `${issuer}/intent/executions`
  const headers = await boundHeaders(app, client, token, { method: 'POST', url })
  const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' } }
  const response = await fetch(url, { ...init, body: '{"workflow_id":"flow"}' })
  assert.deepEqual([response.status, (await jsonOf(response)).error], [401, 'invalid_token'])
  const body = { workflow_id: 'flow', expires_in: 60, limits: {} }
  const by = caller({ client_id, sub: client_id })
  const late = await refused(transaction(ctx, tx => openExecution(tx, by, body, undefined)))
  assert.deepEqual(late, { code: 'unauthorized_client', reason: 'client_revoked' })
  assert.equal(await executionsOf(client_id), 0)
})

test('the digest of the intent is in every token of its execution (section 7)', async () => {
  const { client, join } = await scene()
  const intent_digest = 'q'.repeat(43)
  const { body } = await open(client, { intent_digest })
  assert.equal(body.intent_digest, intent_digest)
  for (const step of ['plan', 'report']) {
    assert.equal((await join(body.execution_id, 'read', step)).claims?.intent?.intent_digest, intent_digest)
  }
  for (const bad of ['short', 'Please pay 100 EUR to Bob.', 'a'.repeat(129)]) {
    assert.equal((await open(client, { intent_digest: bad })).status, 400)
  }
})

test('expires_in ends the execution and all that is minted in it; a day is the most (section 6)', async () => {
  const { client, client_id, join } = await scene()
  const { body } = await open(client, { expires_in: 100 })
  const end = clock.seconds() + 100
  assert.equal(Date.parse(String(body.expires_at)) / 1000, end)
  assert.equal((await join(body.execution_id)).claims?.exp, end)
  clock.advance(100)
  const late = await join(body.execution_id)
  assert.deepEqual([late.status, await reasonOf(client_id, 'token.issue')], [403, 'execution_expired'])
  const longest = await open(client, { expires_in: 86_400 })
  assert.equal(Date.parse(String(longest.body.expires_at)) / 1000, clock.seconds() + 86_400)
  for (const expires_in of [86_401, 0, -1, 1.5, '60']) {
    assert.equal((await open(client, { expires_in })).status, 400, String(expires_in))
  }
})

test('an Idempotency-Key gives the same answer, also when the subject token has expired since, and no other body (section 11)', async () => {
  const { client, client_id, userToken } = await scene()
  const key = { 'idempotency-key': 'once' }
  const subject_token = await userToken()
  const first = await open(client, { subject_token }, key)
  const again = await open(client, { subject_token }, key)
  assert.deepEqual([first.replayed, again], [null, { ...first, replayed: 'true' }])
  const other = await open(client, { subject_token, expires_in: 60 }, key)
  assert.deepEqual([other.status, other.body.error], [422, 'idempotency_key_reused'])
  clock.advance(600)
  assert.deepEqual(await open(client, { subject_token }, key), again)
  assert.equal((await open(client, { subject_token })).status, 400)
  // Without a person nothing but the key tells a repetition.
  const alone = { 'idempotency-key': 'alone' }
  assert.deepEqual((await open(client, {}, alone)).body, (await open(client, {}, alone)).body)
  assert.equal(await executionsOf(client_id), 2)
})

test('a protected entry step needs an execution that was opened before, in which its approval waits (section 6)', async () => {
  const { client, client_id, planner } = await scene()
  const gate = { step_id: 'gate', approval_gate: true }
  await givenWorkflow(app, client, 'guarded', [gate, { ...STEPS[0], requires_approval: true }])
  const ask = { resource: API, scope: 'read', workflow_id: 'guarded', step: 'plan', arguments: { pr: 7 } }
  const early = await mint(app, client, planner, ask)
  assert.deepEqual(
    [early.status, early.body.error, early.body.ajwt_error, early.body.approval_id],
    [403, 'workflow_step_unauthorized', 'approval_required', undefined],
  )
  assert.deepEqual([await reasonOf(client_id, 'token.issue'), await executionsOf(client_id)], ['execution_required', 0])
  // Said last: whatever else is wrong comes first.
  const beyond = await mint(app, client, planner, { ...ask, scope: 'delete' })
  assert.deepEqual([beyond.status, beyond.body.error], [400, 'invalid_scope'])
  const { body } = await open(client, { workflow_id: 'guarded' })
  const waits = await mint(app, client, planner, { ...ask, execution_id: String(body.execution_id) })
  assert.equal(waits.body.ajwt_error, 'approval_pending')
  assert.match(String(waits.body.approval_id), /^apr_/)
})

test('nothing is minted in a revoked execution when its entry is gone, nor in a closed one (sections 6 and 9)', async () => {
  const { client, client_id, join } = await scene()
  const revoked = await open(client, {})
  await revoke(ctx, 'execution', String(revoked.body.execution_id))
  const closed = await open(client, {})
  const registering = caller({ client_id, sub: client_id, acting_owner: 'user:local:anna' })
  await transaction(ctx, tx => deregisterWorkflow(tx, registering, { workflow_id: 'flow', close: 'true' }))
  clock.advance(1_200)
  for (const [{ body }, reason] of [
    [revoked, 'execution_revoked'],
    [closed, 'execution_closed'],
  ] as const) {
    const answer = await join(body.execution_id)
    assert.deepEqual([answer.status, answer.body.error], [403, 'workflow_step_unauthorized'])
    assert.equal(await reasonOf(client_id, 'token.issue'), reason)
  }
})

test('[attack 111] a refused opening leaves only names of workflows that there are in the trail', async () => {
  const { client, client_id } = await scene()
  const details = async () =>
    (
      await ctx.db
        .selectFrom('audit_event')
        .select('details')
        .where('action', '=', 'execution.open')
        .where('client_id', '=', client_id)
        .where('outcome', '=', 'refused')
        .orderBy('id', 'desc')
        .executeTakeFirstOrThrow()
    ).details
  assert.equal((await open(client, { workflow_id: 'canary-secret' })).status, 400)
  assert.equal((await details()).workflow_id, null)
  assert.equal((await open(client, { workflow_id: 'flow', subject_token: 'a.b.c' })).status, 400)
  assert.equal((await details()).workflow_id, 'flow')
})
