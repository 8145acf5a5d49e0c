import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { startTestApp } from '../support/app.ts'
import { givenAgent, givenClient, givenResource } from '../support/given.ts'
import { givenWorkflow, mint } from '../support/recorded.ts'

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
