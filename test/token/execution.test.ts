import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { OAuthError } from '../../src/protocol/errors.ts'
import { AGENT_GRANT } from '../../src/protocol/grant-types.ts'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { INTENT_GRANTS, isAgentRequest, parseTokenRequest } from '../../src/protocol/token-request.ts'
import { transaction } from '../../src/server/context.ts'
import { findClient } from '../../src/server/store/clients.ts'
import { Undone } from '../../src/server/store/group-commit.ts'
import { enterStep } from '../../src/server/token/enter-step.ts'
import { prepareEntry } from '../../src/server/token/step-entry.ts'
import { readForeignSubject } from '../../src/server/token/subject-token.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { freshPass } from '../support/fresh-pass.ts'
import { givenAgent, givenClient, givenResource } from '../support/given.ts'
import { givenWorkflow, mint } from '../support/recorded.ts'
import { foreignToken, givenTrustedIssuer, JWT_TYPE } from './foreign.ts'

const app = await startTestApp()
const API = 'https://api.example.test'
await givenResource(app, {
  resource: API,
  scopes: [{ name: 'read' }, { name: 'write', workflow: true }],
})
const access = [{ resource: API, scope: 'read write' }]

async function scene() {
  const client = await givenClient(app, {
    access: [...access, { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }],
  })
  const planner = await givenAgent(app, client, 'planner', { grant: { access } })
  const patcher = await givenAgent(app, client, 'patcher', { grant: { access } })
  return { client, planner, patcher }
}

const PLAN_PATCH = [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'patch', agent_id: 'patcher', required: true },
]

test('an entry step opens an execution; the record, not the caller, says what came before (section 6)', async () => {
  const { client, planner, patcher } = await scene()
  await givenWorkflow(app, client, 'flow', PLAN_PATCH)
  const ask = { resource: API, scope: 'write', workflow_id: 'flow' }
  const early = await mint(app, client, patcher, { ...ask, step: 'patch' })
  assert.deepEqual([early.status, early.body.error, early.body.missing_steps], [400, 'invalid_request', ['plan']])
  const plan = await mint(app, client, planner, { ...ask, step: 'plan' })
  assert.equal(plan.status, 200, JSON.stringify(plan.body))
  const { execution_id } = plan.body
  assert.match(String(execution_id), /^exe_[A-Za-z0-9_-]{22}$/)
  const patch = await mint(app, client, patcher, { ...ask, step: 'patch', execution_id: String(execution_id) })
  assert.equal(patch.status, 200, JSON.stringify(patch.body))
  assert.deepEqual(patch.claims?.intent, {
    workflow_id: 'flow',
    workflow_step: 'patch',
    executed_by: 'patcher',
    delegation_chain: sequenceHash(['patcher']),
    step_sequence_hash: sequenceHash(['plan', 'patch']),
    state: 'recorded',
    chain_commitment: patch.claims?.intent?.chain_commitment,
    initiated_by: `agent:${client.client_id}:planner`,
    execution_id,
  })
  const back = await mint(app, client, planner, { ...ask, step: 'plan', execution_id: String(execution_id) })
  assert.deepEqual([back.status, back.body.error], [403, 'workflow_step_unauthorized'])
})

test('a lost answer is asked again, at most max_tokens times (section 6)', async () => {
  const { client, planner } = await scene()
  await givenWorkflow(app, client, 'flow', PLAN_PATCH)
  const ask = { resource: API, scope: 'write', workflow_id: 'flow', step: 'plan' }
  const first = await mint(app, client, planner, ask)
  const execution_id = String(first.body.execution_id)
  for (let n = 2; n <= 16; n += 1)
    assert.equal((await mint(app, client, planner, { ...ask, execution_id })).status, 200)
  const last = await mint(app, client, planner, { ...ask, execution_id })
  assert.deepEqual([last.status, last.body.ajwt_error], [403, 'limit_exceeded'])
})

test('a protected step is refused last, opens an approval and names it (section 6)', async () => {
  const { client, planner, patcher } = await scene()
  await givenWorkflow(app, client, 'flow', [
    PLAN_PATCH[0] ?? {},
    { step_id: 'gate', approval_gate: true, required: true },
    { step_id: 'patch', agent_id: 'patcher', requires_approval: true },
  ])
  const ask = { resource: API, scope: 'write', workflow_id: 'flow' }
  const plan = await mint(app, client, planner, { ...ask, step: 'plan' })
  const execution_id = String(plan.body.execution_id)
  const patch = { ...ask, step: 'patch', execution_id, arguments: { pr: 7 } }
  const outside = await mint(app, client, patcher, { ...patch, scope: 'write delete' })
  assert.deepEqual([outside.status, outside.body.error, outside.body.approval_id], [400, 'invalid_scope', undefined])
  const waits = await mint(app, client, patcher, patch)
  assert.deepEqual(
    [waits.status, waits.body.error, waits.body.ajwt_error],
    [403, 'workflow_step_unauthorized', 'approval_pending'],
  )
  assert.match(String(waits.body.approval_id), /^apr_/)
  const again = await mint(app, client, patcher, patch)
  assert.equal(again.body.approval_id, waits.body.approval_id)
})

test('a granted approval is found among any number of denied ones for other arguments (section 6)', async () => {
  const { client, planner, patcher } = await scene()
  await givenWorkflow(app, client, 'flow', [
    PLAN_PATCH[0] ?? {},
    { step_id: 'gate', approval_gate: true, required: true },
    { step_id: 'patch', agent_id: 'patcher', requires_approval: true, repeatable: true },
  ])
  const ask = { resource: API, scope: 'write', workflow_id: 'flow' }
  const plan = await mint(app, client, planner, { ...ask, step: 'plan' })
  const execution_id = String(plan.body.execution_id)
  const patch = { ...ask, step: 'patch', execution_id, arguments: { pr: 7 } }
  const approval_id = String((await mint(app, client, patcher, patch)).body.approval_id)
  // More than are ever read of one step, all younger.
  await sql`insert into approval (approval_id, execution_id, client_id, workflow_id, step_id, agent_id, resource, scope,
      arguments_digest, arguments_sealed, status, opened_at)
    select approval_id || n, execution_id, client_id, workflow_id, step_id, agent_id, resource, scope,
      'other' || n, arguments_sealed, 'denied', opened_at + n * interval '1 millisecond'
    from approval, generate_series(1, 1100) n where approval_id = ${approval_id}`.execute(app.ctx.db)
  assert.equal((await mint(app, client, patcher, patch)).body.approval_id, approval_id)
  await app.ctx.db
    .updateTable('approval')
    .set({ status: 'granted', decided_at: app.ctx.now(), decided_by: 'eve', decided_owner: 'user:local:eve' })
    .where('approval_id', '=', approval_id)
    .execute()
  const granted = await mint(app, client, patcher, patch)
  assert.equal(granted.status, 200, JSON.stringify(granted.body))
  assert.equal(granted.claims?.intent?.approval?.id, approval_id)
  const renewed = await mint(app, client, patcher, patch)
  assert.equal(renewed.claims?.intent?.approval?.id, approval_id)
})

test('a mint whose user token opened an execution meanwhile leaves nothing, and is judged again as one of that (section 6)', async () => {
  const { ctx } = app
  const { client, planner } = await scene()
  const { client_id } = client
  const foreignKey = await generateKey()
  await givenTrustedIssuer(app, foreignKey, { name: client_id, clients: [client_id] })
  await givenWorkflow(app, client, 'flow', PLAN_PATCH)
  const token = await foreignToken(app, foreignKey)
  const judged = async () => {
    const asked = {
      ...{ grant_type: AGENT_GRANT, agent_id: 'planner', computed_checksum: planner.checksum, audience: API },
      ...{ requested_scopes: ['write'], workflow_id: 'flow', workflow_step: 'plan' },
    }
    const request = parseTokenRequest(asked, INTENT_GRANTS)
    const record = await findClient(ctx, client_id)
    assert.ok(isAgentRequest(request) && request.workflow && record)
    const by = { client_id, purposes: ['user'], proof: undefined } as const
    const initiator = await readForeignSubject(ctx, { token, type: JWT_TYPE }, by)
    const { workflow, scope } = request
    const sent = { request, workflow, client: record, agent_id: 'planner', initiator, delegation: undefined }
    const entry = await prepareEntry(freshPass(ctx), sent)
    const step = { client_id, agent_id: 'planner', resource: API, scope, workflow, now: ctx.now() }
    return async () => await transaction(ctx, tx => enterStep(tx, entry, step))
  }
  const older = await judged()
  await givenWorkflow(app, client, 'flow', [...PLAN_PATCH, { step_id: 'tell', agent_id: 'planner' }])
  const newer = await judged()
  const more = { subject_token: token, subject_token_type: JWT_TYPE }
  const first = await mint(app, client, planner, {
    resource: API,
    scope: 'write',
    workflow_id: 'flow',
    step: 'plan',
    more,
  })
  assert.equal(first.status, 200, JSON.stringify(first.body))
  await assert.rejects(older(), Undone)
  await assert.rejects(newer(), Undone)
  const entered = await (await judged())()
  assert.ok(!(entered instanceof OAuthError))
  assert.equal(entered.execution_id, first.body.execution_id)
  const rows = ctx.db.selectFrom('execution').select(['workflow_version', 'tokens']).where('client_id', '=', client_id)
  assert.deepEqual(await rows.execute(), [{ workflow_version: 2, tokens: 2 }])
})
