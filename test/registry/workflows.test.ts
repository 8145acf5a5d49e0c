import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import { getWorkflows } from '../../src/server/registry/workflow-views.ts'
import { assignedAgents, findActiveWorkflow } from '../../src/server/store/workflows.ts'
import { startTestApp } from '../support/app.ts'
import {
  APPROVER,
  agentBody,
  approveFlow,
  CRM,
  caller,
  givenClient,
  givenResources,
  MAIL,
  refused,
  register,
  registerFlow,
} from './given.ts'

const { ctx } = await startTestApp()
await givenResources(ctx)
const GATED = [
  { step_id: 'gate', approval_gate: true },
  { step_id: 'send', agent_id: 'planner', requires_approval: true },
]
const OPEN = [{ step_id: 'send', agent_id: 'planner' }]

async function given(client_id: string, over: object = {}) {
  const app = await givenClient(ctx, client_id, over)
  await register(ctx, app, agentBody(client_id))
  return app
}

async function stepsThatCount(client_id: string) {
  const active = await findActiveWorkflow(ctx, client_id, 'w')
  return active && { version: active.version, steps: active.steps.map(step => step.step_id) }
}

test('a workflow counts at once; the same definition again is skipped (section 5)', async () => {
  const app = await given('flow')
  assert.deepEqual(await registerFlow(ctx, app, GATED), { status: 'registered', workflow_id: 'w', version: 1 })
  assert.deepEqual(await registerFlow(ctx, app, GATED), { status: 'skipped', workflow_id: 'w', version: 1 })
  const inOrder = { gate: { approval_gate: true }, send: { requires_approval: true, agent_id: 'planner' } }
  assert.deepEqual(await registerFlow(ctx, app, inOrder), { status: 'skipped', workflow_id: 'w', version: 1 })
  assert.deepEqual(await stepsThatCount('flow'), { version: 1, steps: ['gate', 'send'] })
})

test('an agent is assigned by the versions that count, and only there (section 6, row 8)', async () => {
  const app = await given('assigned')
  await register(ctx, app, agentBody('assigned', { id: 'other' }))
  assert.equal((await assignedAgents(ctx, [{ client_id: 'assigned', agent_id: 'planner' }])).length, 0)
  await registerFlow(ctx, app, OPEN)
  assert.equal((await assignedAgents(ctx, [{ client_id: 'assigned', agent_id: 'planner' }])).length, 1)
  assert.equal((await assignedAgents(ctx, [{ client_id: 'assigned', agent_id: 'other' }])).length, 0)
  await registerFlow(ctx, app, [{ step_id: 'send', agent_id: 'other' }])
  assert.equal((await assignedAgents(ctx, [{ client_id: 'assigned', agent_id: 'planner' }])).length, 0)
})

test('[attack 77] redefining a workflow makes a new version, a looser one waits where the client asks (section 5)', async () => {
  const app = await given('guarded', { policies: { require_approval: true } })
  await registerFlow(ctx, app, GATED)
  assert.deepEqual(await registerFlow(ctx, app, OPEN), { status: 'pending', workflow_id: 'w', version: 2 })
  assert.deepEqual(await stepsThatCount('guarded'), { version: 1, steps: ['gate', 'send'] })
  const approved = await approveFlow(ctx, APPROVER, 'guarded', 2)
  assert.deepEqual(approved, { status: 'registered', workflow_id: 'w', version: 2 })
  assert.deepEqual(await stepsThatCount('guarded'), { version: 2, steps: ['send'] })
})

test('[attack 77] a gate of nobody that is given to an agent waits for approval, also when it is sent again (section 5)', async () => {
  const app = await given('given-gate', { policies: { require_approval: true } })
  await registerFlow(ctx, app, GATED)
  const [gate, ...rest] = GATED
  const pending = { status: 'pending', workflow_id: 'w', version: 2 }
  for (const _ of [1, 2]) {
    assert.deepEqual(await registerFlow(ctx, app, [{ ...gate, agent_id: 'planner' }, ...rest]), pending)
  }
  assert.equal((await stepsThatCount('given-gate'))?.version, 1)
  await approveFlow(ctx, APPROVER, 'given-gate', 2)
  const again = await registerFlow(ctx, app, [{ ...gate, agent_id: 'planner' }, ...rest])
  assert.deepEqual(again, { ...pending, status: 'skipped' })
})

test('without require_approval a looser one counts at once (section 5)', async () => {
  const app = await given('free')
  await registerFlow(ctx, app, GATED)
  assert.equal((await registerFlow(ctx, app, OPEN)).status, 'registered')
  assert.deepEqual(await stepsThatCount('free'), { version: 2, steps: ['send'] })
})

test('[attack 125] a replaced version is a conflict, an own proposal forbidden, an unknown one not found', async () => {
  const app = await given('flow-replaced', { policies: { require_approval: true } })
  const admin = { access: [{ resource: ctx.config.adminAudience, scope: 'approve:agents' }], kind: 'operator' }
  await givenClient(ctx, 'flow-admin-1', admin)
  await givenClient(ctx, 'flow-admin-2', admin)
  await registerFlow(ctx, app, GATED)
  await registerFlow(ctx, app, OPEN)
  await registerFlow(ctx, app, [...OPEN, { step_id: 'more', agent_id: 'planner' }])
  assert.equal((await refused(approveFlow(ctx, APPROVER, 'flow-replaced', 2))).reason, 'replaced')
  const anna = caller({ acting_owner: 'user:local:anna' })
  assert.equal((await refused(approveFlow(ctx, anna, 'flow-replaced', 3))).reason, 'own_proposal')
  assert.equal((await refused(approveFlow(ctx, APPROVER, 'flow-replaced', 4))).code, 'not_found')
  assert.equal((await refused(approveFlow(ctx, APPROVER, 'flow-replaced', 1, 'nope'))).code, 'not_found')
  await approveFlow(ctx, APPROVER, 'flow-replaced', 3)
  assert.equal((await refused(approveFlow(ctx, APPROVER, 'flow-replaced', 3))).reason, 'not_pending')
})

test('[attack 124] a step stays within the pairs of its client, without our own resources (section 5)', async () => {
  const app = await given('flow-pairs')
  for (const entry of [
    { resource: MAIL, scope: 'write' },
    { resource: ctx.config.issuer, scope: 'register:intent' },
  ]) {
    const steps = [{ step_id: 'a', agent_id: 'planner', access: [entry] }]
    assert.equal((await refused(registerFlow(ctx, app, steps))).reason, 'access_above_client')
  }
})

test('[attack 76] steps name agents of their own client only (section 5)', async () => {
  const app = await givenClient(ctx, 'flow-empty')
  const unknown = { code: 'invalid_request', reason: 'unknown_agent' }
  assert.deepEqual(await refused(registerFlow(ctx, app, OPEN)), unknown)
})

test('[attack 95] ids with a pipe, controls or an order of their own are refused (section 5)', () => {
  for (const step_id of ['a|b', 'a\u0000', 'a b', 'ä', '__proto__', '']) {
    assert.equal(workflowRegistrationSchema.safeParse({ workflow_id: 'w', steps: [{ step_id }] }).success, false)
  }
  assert.equal(workflowRegistrationSchema.safeParse({ workflow_id: 'w', steps: { 2: {}, 1: {} } }).success, false)
  assert.equal(workflowRegistrationSchema.safeParse({ workflow_id: 'a|b', steps: [{ step_id: 'a' }] }).success, false)
})

test('versions registered at once are numbered one by one, and one counts', async () => {
  const app = await given('flow-parallel')
  const definitions = Array.from({ length: 6 }, (_, n) => [{ step_id: `s${n}`, agent_id: 'planner' }])
  const answers = await Promise.all(definitions.map(steps => registerFlow(ctx, app, steps)))
  assert.deepEqual(answers.map(answer => answer.version).sort(), [1, 2, 3, 4, 5, 6])
  assert.equal((await stepsThatCount('flow-parallel'))?.version, 6)
})

test('workflows are shown in the reference client’s shape with their pairs (standards.md section 5.3)', async () => {
  const app = await given('flow-view')
  await registerFlow(ctx, app, [
    { step_id: 'send', agent_id: 'planner', access: [{ resource: CRM, scope: 'read write' }] },
  ])
  assert.deepEqual(await getWorkflows(ctx, 'flow-view', { limit: 10 }), {
    items: [
      {
        workflow_id: 'w',
        workflow_type: 'dag',
        version: 1,
        status: 'active',
        pending: 0,
        registered_at: ctx.now().toISOString(),
        step_ids: ['send'],
        steps: {
          send: {
            agent: 'planner',
            action: null,
            scopes: ['read', 'write'],
            access: [{ resource: CRM, scope: 'read write' }],
            dependencies: [],
            required: false,
            approval_gate: false,
            requires_approval: false,
          },
        },
      },
    ],
    next_cursor: null,
  })
})
