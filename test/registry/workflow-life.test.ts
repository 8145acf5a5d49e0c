import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { workflowDeregistrationSchema, workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import type { Caller } from '../../src/server/caller.ts'
import { rejectWorkflow } from '../../src/server/registry/workflow-approval.ts'
import { registerWorkflows } from '../../src/server/registry/workflow-batch.ts'
import { deregisterWorkflow } from '../../src/server/registry/workflow-deregistration.ts'
import { getWorkflow, getWorkflows } from '../../src/server/registry/workflow-views.ts'
import { assignedAgents, findActiveWorkflow } from '../../src/server/store/workflows.ts'
import { startTestApp } from '../support/app.ts'
import {
  APPROVER,
  agentBody,
  approveFlow,
  caller,
  givenClient,
  givenResources,
  refused,
  register,
  registerFlow,
  run,
} from './given.ts'
import { revoke } from './given-revocation.ts'

const { ctx } = await startTestApp()
await givenResources(ctx)
const GATED = [
  { step_id: 'gate', approval_gate: true },
  { step_id: 'send', agent_id: 'planner', requires_approval: true },
]
const OPEN = [{ step_id: 'send', agent_id: 'planner' }]
const CAREFUL = { policies: { require_approval: true } }

async function given(client_id: string, over: object = {}) {
  const app = await givenClient(ctx, client_id, over)
  await register(ctx, app, agentBody(client_id))
  if ('policies' in over) await ctx.db.updateTable('registration').set({ status: 'active' }).execute()
  return app
}

function deregister(by: Caller, query: object = { workflow_id: 'w' }) {
  return run(ctx, tx => deregisterWorkflow(tx, by, workflowDeregistrationSchema.parse(query)))
}

function reject(by: Caller, client_id: string, version: number) {
  return run(ctx, tx => rejectWorkflow(tx, by, { client_id, workflow_id: 'w' }, { version, reason: 'too loose' }))
}

function batch(by: Caller, workflow_definitions: readonly object[]) {
  const items = workflow_definitions.map(definition => ({ body: workflowRegistrationSchema.parse(definition) }))
  return run(ctx, tx => registerWorkflows(tx, by, items))
}

async function statesOf(client_id: string) {
  const { status, version, versions } = await getWorkflow(ctx, { client_id, workflow_id: 'w' })
  return { status, version, versions: versions.map(shown => shown.status) }
}

test('a deregistered workflow mints no more, and again it is deregistered (section 5)', async () => {
  const app = await given('ending')
  await registerFlow(ctx, app, OPEN)
  const ended = { status: 'deregistered', workflow_id: 'w', version: 1, closed: 0 }
  assert.deepEqual(await deregister(app), ended)
  assert.equal(await findActiveWorkflow(ctx, 'ending', 'w'), undefined)
  assert.deepEqual(await deregister(app, { workflow_id: 'w', app_id: 'ending', close: 'true' }), ended)
  assert.deepEqual(await statesOf('ending'), { status: 'deregistered', version: 1, versions: ['active'] })
  assert.equal((await getWorkflows(ctx, 'ending', { limit: 5 })).items[0]?.status, 'deregistered')
  const unknown = { code: 'invalid_request', reason: 'unknown_workflow' }
  assert.deepEqual(await refused(deregister(app, { workflow_id: 'x' })), unknown)
  const stranger = await givenClient(ctx, 'stranger')
  const foreign = await refused(deregister(stranger, { workflow_id: 'w', app_id: 'ending' }))
  assert.deepEqual(foreign, { code: 'unauthorized_client', reason: 'foreign_app' })
})

test('[attack 77] ending a workflow sets none of its agents free (section 6, row 8)', async () => {
  const app = await given('bound')
  await registerFlow(ctx, app, OPEN)
  await deregister(app)
  assert.equal((await assignedAgents(ctx, [{ client_id: 'bound', agent_id: 'planner' }])).length, 1)
  await registerFlow(ctx, app, OPEN)
  await revoke(ctx, 'workflow', 'bound/w')
  assert.equal((await assignedAgents(ctx, [{ client_id: 'bound', agent_id: 'planner' }])).length, 1)
})

test('[attack 77] the same id again is a new version, pending where it loosens what counted last (section 5)', async () => {
  const app = await given('again', CAREFUL)
  await registerFlow(ctx, app, GATED)
  await deregister(app)
  assert.deepEqual(await registerFlow(ctx, app, OPEN), { status: 'pending', workflow_id: 'w', version: 2 })
  assert.equal(await findActiveWorkflow(ctx, 'again', 'w'), undefined)
  assert.deepEqual(await registerFlow(ctx, app, GATED), { status: 'registered', workflow_id: 'w', version: 3 })
  assert.equal((await findActiveWorkflow(ctx, 'again', 'w'))?.version, 3)
  const versions = ['active', 'superseded', 'superseded']
  assert.deepEqual(await statesOf('again'), { status: 'active', version: 3, versions })
})

test('[attack 77] what was proposed before a workflow ended cannot be approved after it (section 5)', async () => {
  const app = await given('late', CAREFUL)
  await registerFlow(ctx, app, GATED)
  await registerFlow(ctx, app, OPEN)
  await deregister(app)
  assert.equal((await refused(approveFlow(ctx, APPROVER, 'late', 2))).reason, 'not_pending')
  assert.deepEqual(await statesOf('late'), { status: 'deregistered', version: 1, versions: ['superseded', 'active'] })
})

test('[attack 77] a revoked workflow comes back only by another owner’s approval, deregistering it changes nothing (section 9)', async () => {
  const app = await given('stopped')
  await registerFlow(ctx, app, OPEN)
  await revoke(ctx, 'workflow', 'stopped/w')
  assert.equal((await refused(deregister(app))).reason, 'workflow_revoked')
  const pending = { status: 'pending', workflow_id: 'w', version: 2 }
  assert.deepEqual(await registerFlow(ctx, app, OPEN), pending)
  assert.deepEqual(await registerFlow(ctx, app, OPEN), pending)
  assert.equal(await findActiveWorkflow(ctx, 'stopped', 'w'), undefined)
  const admin = { access: [{ resource: ctx.config.adminAudience, scope: 'approve:agents' }], kind: 'operator' }
  for (const client_id of ['flow-admin-1', 'flow-admin-2']) await givenClient(ctx, client_id, admin)
  const anna = caller({ acting_owner: 'user:local:anna' })
  assert.equal((await refused(approveFlow(ctx, anna, 'stopped', 2))).reason, 'own_proposal')
  await approveFlow(ctx, APPROVER, 'stopped', 2)
  assert.deepEqual(await statesOf('stopped'), { status: 'active', version: 2, versions: ['active', 'superseded'] })
})

test('a pending version says why it waits, and an older one that it was replaced (section 5)', async () => {
  const app = await given('waiting', CAREFUL)
  const waitsFor = async () => {
    const { versions } = await getWorkflow(ctx, { client_id: 'waiting', workflow_id: 'w' })
    return versions.map(({ version, pending_for }) => [version, pending_for])
  }
  await registerFlow(ctx, app, GATED)
  await registerFlow(ctx, app, OPEN)
  const opened = [
    { cause: 'step_removed', step_id: 'gate' },
    { cause: 'gate_lost', step_id: 'send' },
    { cause: 'approval_dropped', step_id: 'send' },
  ]
  assert.deepEqual(await waitsFor(), [
    [2, opened],
    [1, []],
  ])
  const added = [...OPEN, { step_id: 'more', agent_id: 'planner' }]
  await registerFlow(ctx, app, added)
  const replaced = [{ cause: 'replaced', step_id: null }]
  assert.deepEqual(await waitsFor(), [
    [3, [...opened, { cause: 'step_added', step_id: 'more' }]],
    [2, replaced],
    [1, []],
  ])
  await revoke(ctx, 'workflow', 'waiting/w')
  await registerFlow(ctx, app, GATED)
  assert.deepEqual((await waitsFor())[0], [4, [{ cause: 'workflow_revoked', step_id: null }]])
})

test('a rejected version says who and why, and may be proposed again (section 11)', async () => {
  const app = await given('rejected', CAREFUL)
  await registerFlow(ctx, app, GATED)
  await registerFlow(ctx, app, OPEN)
  assert.equal((await getWorkflows(ctx, 'rejected', { limit: 5 })).items[0]?.pending, 1)
  assert.deepEqual(await reject(APPROVER, 'rejected', 2), { status: 'rejected', workflow_id: 'w', version: 2 })
  const { versions } = await getWorkflow(ctx, { client_id: 'rejected', workflow_id: 'w' })
  const [shown] = versions
  assert.deepEqual(shown, {
    version: 2,
    status: 'rejected',
    registered_at: ctx.now().toISOString(),
    registered_by: 'rejected',
    registered_owner: 'user:local:anna',
    approved_at: null,
    approved_by: null,
    rejected_at: ctx.now().toISOString(),
    rejected_by: 'approver',
    reject_reason: 'too loose',
    pending_for: [],
    steps: [
      {
        step_id: 'send',
        agent_id: 'planner',
        action: null,
        access: null,
        dependencies: [],
        required: false,
        approval_gate: false,
        requires_approval: false,
      },
    ],
  })
  assert.equal((await refused(reject(APPROVER, 'rejected', 2))).reason, 'not_pending')
  assert.equal((await refused(approveFlow(ctx, APPROVER, 'rejected', 2))).reason, 'not_pending')
  assert.equal((await refused(reject(APPROVER, 'rejected', 9))).code, 'not_found')
  assert.equal((await refused(reject(APPROVER, 'nobody', 1))).code, 'not_found')
  // What counts stays what it is, and is skipped; the rejected one is proposed anew and can be approved.
  assert.deepEqual(await registerFlow(ctx, app, GATED), { status: 'skipped', workflow_id: 'w', version: 1 })
  assert.deepEqual(await registerFlow(ctx, app, OPEN), { status: 'pending', workflow_id: 'w', version: 3 })
  await approveFlow(ctx, APPROVER, 'rejected', 3)
  assert.deepEqual(await statesOf('rejected'), {
    status: 'active',
    version: 3,
    versions: ['active', 'rejected', 'superseded'],
  })
})

test('a batch registers every workflow or none, and names each one that is refused (section 2)', async () => {
  const app = await given('batch')
  const done = await batch(app, [
    { workflow_id: 'b', steps: OPEN },
    { workflow_id: 'a', steps: OPEN },
  ])
  assert.deepEqual(done, {
    workflows: [
      { status: 'registered', workflow_id: 'b', version: 1 },
      { status: 'registered', workflow_id: 'a', version: 1 },
    ],
  })
  const error = await batch(app, [
    { workflow_id: 'new', steps: OPEN },
    { workflow_id: 'bad', steps: [{ step_id: 's', agent_id: 'nobody' }] },
    { workflow_id: 'foreign', app_id: 'ending', steps: OPEN },
  ]).catch(thrown => thrown)
  assert.ok(error instanceof OAuthError)
  assert.deepEqual([error.code, error.reason], ['invalid_request', 'unknown_agent'])
  const text = 'A step is assigned to an agent that the client does not have; register it first.'
  assert.deepEqual(error.details.results, [
    { workflow_id: 'new', status: 'not_registered' },
    { workflow_id: 'bad', status: 'refused', error: 'invalid_request', error_description: text },
    {
      workflow_id: 'foreign',
      status: 'refused',
      error: 'unauthorized_client',
      error_description: 'The client may not register for this app_id.',
    },
  ])
  assert.equal(await findActiveWorkflow(ctx, 'batch', 'new'), undefined)
})

test('a workflow that stands in a batch twice is named, and the others have their answer (section 2)', async () => {
  const app = await given('twice')
  const error = await batch(app, [
    { workflow_id: 'b', steps: OPEN },
    { workflow_id: 'a', steps: OPEN },
    { workflow_id: 'a', app_id: 'twice', steps: GATED },
  ]).catch(thrown => thrown)
  assert.ok(error instanceof OAuthError)
  assert.deepEqual([error.code, error.reason], ['invalid_request', 'duplicate_in_batch'])
  assert.deepEqual(error.details.results, [
    { workflow_id: 'b', status: 'not_registered' },
    { workflow_id: 'a', status: 'not_registered' },
    {
      workflow_id: 'a',
      status: 'refused',
      error: 'invalid_request',
      error_description: 'The workflow stands in the batch twice; send one definition of it.',
    },
  ])
  assert.equal(await findActiveWorkflow(ctx, 'twice', 'a'), undefined)
})

test('each workflow of a batch leaves its own audit row, under the client whose it is (section 12)', async () => {
  await given('theirs')
  const by = { ...(await given('for-them', { registers_for: ['theirs'] })), request_id: 'batch-for-them' }
  await batch(by, [
    { workflow_id: 'w2', app_id: 'theirs', steps: OPEN },
    { workflow_id: 'w1', steps: OPEN },
  ])
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'actor', 'client_id', 'details'])
    .where('request_id', '=', 'batch-for-them')
    .orderBy('client_id', 'desc')
    .execute()
  const row = { action: 'workflow.register', outcome: 'success' as const, actor: 'for-them' }
  const common = { caller: 'for-them', acting_owner: 'user:local:anna', version: 1, status: 'registered' }
  assert.deepEqual(rows, [
    { ...row, client_id: 'theirs', details: { ...common, workflow_id: 'w2' } },
    { ...row, client_id: 'for-them', details: { ...common, workflow_id: 'w1' } },
  ])
})
