import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type WorkflowStep, workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import { validateDefinition } from '../../src/server/registry/workflow-definition.ts'
import { loosenings } from '../../src/server/registry/workflow-loosening.ts'
import { CRM, MAIL, refusedNow } from './given.ts'

const AGENTS = new Set(['planner', 'payer'])
const ACCESS = [
  { resource: CRM, scope: 'read' },
  { resource: MAIL, scope: 'write' },
]

const ASSERTED = { access: ACCESS, recorded: false }
const RECORDED = { access: ACCESS, recorded: true }

function steps(...parts: readonly object[]): readonly WorkflowStep[] {
  return workflowRegistrationSchema.parse({ workflow_id: 'w', steps: parts }).steps
}

const GUARDED = steps(
  { step_id: 'plan', agent_id: 'planner', required: true, access: [{ resource: CRM, scope: 'read' }] },
  { step_id: 'gate', approval_gate: true },
  { step_id: 'pay', agent_id: 'payer', requires_approval: true, dependencies: ['plan'] },
)

test('a sound definition passes (protocol.md section 5)', () => {
  validateDefinition(GUARDED, AGENTS, ASSERTED)
})

test('[attack 78] a definition that cannot be kept is refused with its cause', async () => {
  const refusals: readonly (readonly [readonly WorkflowStep[], string])[] = [
    [steps({ step_id: 'a' }, { step_id: 'a' }), 'duplicate_step'],
    [steps({ step_id: 'a', agent_id: 'nobody' }), 'unknown_agent'],
    [steps({ step_id: 'a', dependencies: ['b'] }), 'unknown_dependency'],
    [steps({ step_id: 'a', dependencies: ['a'] }), 'dependency_cycle'],
    [steps({ step_id: 'a', dependencies: ['b'] }, { step_id: 'b', dependencies: ['a'] }), 'dependency_cycle'],
    [steps({ step_id: 'a', required: true, dependencies: ['b'] }, { step_id: 'b' }), 'dependency_cycle'],
    [steps({ step_id: 'a', requires_approval: true }, { step_id: 'gate', approval_gate: true }), 'missing_gate'],
    [steps({ step_id: 'a', requires_approval: true, approval_gate: true }), 'missing_gate'],
    [steps({ step_id: 'a', access: [{ resource: CRM, scope: 'admin' }] }), 'access_above_client'],
  ]
  for (const [definition, reason] of refusals) {
    const refusal = await refusedNow(() => validateDefinition(definition, AGENTS, ASSERTED))
    assert.deepEqual(refusal, { code: 'invalid_request', reason })
  }
})

test('a step of nobody that is no gate is refused where the server records executions (protocol.md section 5)', async () => {
  const definition = steps({ step_id: 'gate', approval_gate: true }, { step_id: 'a' })
  validateDefinition(definition, AGENTS, ASSERTED)
  const refusal = await refusedNow(() => validateDefinition(definition, AGENTS, RECORDED))
  assert.deepEqual(refusal, { code: 'invalid_request', reason: 'step_without_agent' })
  validateDefinition(GUARDED, AGENTS, RECORDED)
})

test('a gate that waits for the very step that it guards is refused where the server records executions (protocol.md section 5)', async () => {
  const gate = { step_id: 'gate', approval_gate: true, dependencies: ['pay'] }
  const rows: readonly (readonly WorkflowStep[])[] = [
    // The nearest gate before it is its own, and depends on it.
    steps(gate, { step_id: 'pay', agent_id: 'planner', requires_approval: true }),
    // By way of another step,
    steps(
      { ...gate, dependencies: ['late'] },
      { step_id: 'pay', agent_id: 'planner', requires_approval: true },
      { step_id: 'late', agent_id: 'planner', dependencies: ['pay'] },
    ),
    // and of another gate.
    steps(
      { ...gate, dependencies: ['second'] },
      { step_id: 'pay', agent_id: 'planner', requires_approval: true },
      { step_id: 'second', approval_gate: true, dependencies: ['pay'] },
    ),
  ]
  for (const definition of rows) {
    validateDefinition(definition, AGENTS, ASSERTED)
    const refusal = await refusedNow(() => validateDefinition(definition, AGENTS, RECORDED))
    assert.deepEqual(refusal, { code: 'invalid_request', reason: 'gate_waits_for_step' })
  }
})

test('[attack 124] a step asks for pairs of its client, never for the scope of one and the resource of another', async () => {
  const crossed = steps({ step_id: 'a', access: [{ resource: CRM, scope: 'write' }] })
  assert.deepEqual(await refusedNow(() => validateDefinition(crossed, AGENTS, ASSERTED)), {
    code: 'invalid_request',
    reason: 'access_above_client',
  })
})

test('[attack 78] more than 256 steps are refused, by the schema and by the rule', async () => {
  const many = Array.from({ length: 257 }, (_, index) => ({ step_id: `s${index}` }))
  assert.equal(workflowRegistrationSchema.safeParse({ workflow_id: 'w', steps: many }).success, false)
  const parsed = steps(...many.slice(1))
  const extra = [...parsed, ...steps({ step_id: 'last' })]
  assert.deepEqual(await refusedNow(() => validateDefinition(extra, AGENTS, ASSERTED)), {
    code: 'invalid_request',
    reason: 'step_count',
  })
})

test('[attack 78] more than 1,024 dependencies together are refused, because mints and drawings walk them', async () => {
  const firsts = Array.from({ length: 64 }, (_, index) => ({ step_id: `s${index}` }))
  const dependencies = firsts.map(({ step_id }) => step_id)
  const most = [...firsts, ...Array.from({ length: 16 }, (_, index) => ({ step_id: `t${index}`, dependencies }))]
  validateDefinition(steps(...most), AGENTS, ASSERTED)
  const one = steps(...most, { step_id: 'last', dependencies: ['s0'] })
  assert.deepEqual(await refusedNow(() => validateDefinition(one, AGENTS, ASSERTED)), {
    code: 'invalid_request',
    reason: 'too_many_dependencies',
  })
})

function loosens(previous: readonly WorkflowStep[], next: readonly WorkflowStep[]): boolean {
  return loosenings(previous, next).length > 0
}

function changed(step_id: string, change: Partial<WorkflowStep>): readonly WorkflowStep[] {
  return GUARDED.map(step => (step.step_id === step_id ? { ...step, ...change } : step))
}

test('what removes or loosens a gate, an assignment or an access is told apart (protocol.md section 5)', () => {
  const [plan, gate, pay] = GUARDED
  assert(plan && gate && pay)
  const { agent_id: _, ...unassigned } = pay
  const { access: __, ...unlimited } = plan
  const looser: readonly (readonly WorkflowStep[])[] = [
    [plan, pay],
    [plan, pay, gate],
    changed('gate', { approval_gate: false }),
    // Nothing is minted for a gate of nobody.
    changed('gate', { agent_id: 'planner' }),
    changed('pay', { requires_approval: false }),
    changed('plan', { required: false }),
    changed('pay', { dependencies: [] }),
    changed('pay', { agent_id: 'planner' }),
    [plan, gate, unassigned],
    [unlimited, gate, pay],
    changed('plan', { access: ACCESS }),
    [...GUARDED, ...steps({ step_id: 'more', agent_id: 'planner' })],
    [...GUARDED, ...steps({ step_id: 'more' })],
  ]
  for (const next of looser) assert.equal(loosens(GUARDED, next), true)
})

test('to be entered again, to be minted for more often, and to become a graph loosens too (protocol.md section 6)', () => {
  const once = changed('pay', { reversible: false })
  assert.equal(loosens(once, GUARDED), true)
  assert.equal(loosens(GUARDED, once), false)
  const again = changed('pay', { repeatable: true })
  assert.equal(loosens(GUARDED, again), true)
  assert.equal(loosens(again, GUARDED), false)
  const ordered = steps({ step_id: 'a', agent_id: 'planner' }, { step_id: 'b', agent_id: 'payer' })
  const [a, b] = ordered
  assert(a && b)
  assert.equal(loosens(ordered, [a, { ...b, dependencies: ['a'] }]), true)
})

test('a step that gets another gate than it had, and waits for less, is loosened (protocol.md section 5, ADR 17)', () => {
  const [a, gate, pay] = steps(
    { step_id: 'a', agent_id: 'planner' },
    { step_id: 'gate', approval_gate: true, dependencies: ['a'] },
    { step_id: 'pay', agent_id: 'payer', requires_approval: true },
  )
  const [other] = steps({ step_id: 'other', approval_gate: true })
  assert(a && gate && pay && other)
  assert.equal(loosens([a, gate, pay], [a, gate, other, pay]), true)
  assert.equal(loosens([a, gate, pay], [a, other, gate, pay]), false)
})

test('what tightens needs no approval (protocol.md section 5)', () => {
  const tighter: readonly (readonly WorkflowStep[])[] = [
    GUARDED,
    changed('pay', { required: true }),
    changed('plan', { access: [] }),
    [...GUARDED, ...steps({ step_id: 'late-gate', approval_gate: true })],
    [...GUARDED, ...steps({ step_id: 'more', agent_id: 'auditor' })],
  ]
  for (const next of tighter) assert.equal(loosens(GUARDED, next), false)
})

test('each thing that loosens is named, with its step (protocol.md section 5)', () => {
  const [plan, gate, pay] = GUARDED
  assert(plan && gate && pay)
  const causes = (next: readonly WorkflowStep[]) =>
    loosenings(GUARDED, next).map(({ cause, step_id }) => (step_id === null ? cause : `${step_id} ${cause}`))
  assert.deepEqual(causes([plan, pay]), ['gate step_removed', 'pay gate_lost'])
  assert.deepEqual(causes([gate, plan, pay]), ['plan step_moved', 'gate step_moved'])
  assert.deepEqual(causes(changed('gate', { approval_gate: false })), ['pay gate_lost', 'gate gate_opened'])
  assert.deepEqual(causes(changed('gate', { agent_id: 'planner' })), ['gate gate_given'])
  assert.deepEqual(causes(changed('pay', { requires_approval: false, agent_id: 'planner', dependencies: [] })), [
    'pay gate_lost',
    'pay agent_changed',
    'pay approval_dropped',
    'pay dependency_dropped',
  ])
  assert.deepEqual(causes(changed('plan', { required: false, access: ACCESS })), [
    'plan requirement_dropped',
    'plan access_widened',
  ])
  assert.deepEqual(causes(changed('pay', { repeatable: true })), ['pay made_repeatable'])
  assert.deepEqual(causes([...GUARDED, ...steps({ step_id: 'more' })]), ['more step_added'])
  const irreversible = changed('pay', { reversible: false })
  assert.deepEqual(loosenings(irreversible, GUARDED), [{ cause: 'made_reversible', step_id: 'pay' }])
  const ordered = GUARDED.map(step => ({ ...step, dependencies: [] }))
  assert.deepEqual(loosenings(ordered, GUARDED), [{ cause: 'order_became_graph', step_id: null }])
})
