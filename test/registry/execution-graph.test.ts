import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OAuthError } from '../../src/protocol/errors.ts'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { type WorkflowStep, workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import { edgesOf } from '../../src/server/registry/execution-graph.ts'
import { judgeStep } from '../../src/server/registry/recorded-step.ts'
import { type ExecutionRecord, stepGraph } from '../../src/server/registry/step-record.ts'

function stepsOf(steps: readonly object[]): readonly WorkflowStep[] {
  return workflowRegistrationSchema.parse({ workflow_id: 'w', steps }).steps
}

function drawn(steps: readonly object[]): readonly string[] {
  const sign = { dependency: '->', order: '~>' }
  return edgesOf(stepGraph(stepsOf(steps))).map(({ from, to, kind }) => `${from}${sign[kind]}${to}`)
}

test('required steps are drawn one after the other, and not from each to all behind it', () => {
  const required = ['a', 'b', 'c', 'd'].map(step_id => ({ step_id, required: true }))
  assert.deepEqual(drawn(required), ['a~>b', 'b~>c', 'c~>d'])
  assert.deepEqual(drawn([{ step_id: 'a' }, { step_id: 'b' }]), [], 'what nothing orders is parallel')
})

test('a dependency is always drawn, an order that it says already is not', () => {
  const steps = [
    { step_id: 'scan', required: true },
    { step_id: 'gate', approval_gate: true, required: true, dependencies: ['scan'] },
    { step_id: 'left', dependencies: ['gate'] },
    { step_id: 'right', dependencies: ['scan'] },
    { step_id: 'join', dependencies: ['left', 'right', 'scan'] },
  ]
  assert.deepEqual(drawn(steps), [
    'scan->gate',
    'gate->left',
    ...['scan->right', 'gate~>right'],
    ...['left->join', 'right->join', 'scan->join'],
  ])
})

test('256 required steps, or steps that wait for each other, are drawn in no time', () => {
  const many = Array.from({ length: 256 }, (_, at) => ({ step_id: `s${at}`, required: true }))
  const began = performance.now()
  assert.equal(drawn(many).length, 255)
  assert.ok(performance.now() - began < 500)
  assert.equal(drawn([{ step_id: 'a', required: true, dependencies: ['b'] }, { step_id: 'b' }]).length, 2)
})

const NAMES: readonly string[] = ['a', 'b', 'c', 'd', 'e', 'f']
const workflow = fc
  .array(
    fc.record({
      required: fc.boolean(),
      approval_gate: fc.boolean(),
      requires_approval: fc.boolean(),
      earlier: fc.subarray([0, 1, 2, 3, 4]),
      depends: fc.boolean(),
    }),
    { minLength: 1, maxLength: NAMES.length },
  )
  .map(shapes =>
    stepsOf(
      shapes.map(({ earlier, depends, approval_gate, ...rules }, at) => ({
        ...rules,
        step_id: NAMES[at],
        approval_gate,
        ...(!approval_gate && { agent_id: 'agent' }),
        dependencies: depends ? earlier.filter(index => index < at).map(index => NAMES[index]) : [],
      })),
    ),
  )

/** What the mint says of a step, as far as steps before it go. */
function judged(steps: readonly WorkflowStep[], record: ExecutionRecord, workflow_step: string): string {
  const graph = stepGraph(steps)
  const asked = { opens: false, within_step: false, completed_steps: [], has_arguments: false, approvals: [], nodes: 0 }
  try {
    judgeStep({ ...asked, graph, record, limits: LIMITS_DEFAULT, workflow_step, agent_id: 'agent' })
    return 'open'
  } catch (error) {
    if (error instanceof OAuthError && error.reason === 'missing_steps') return 'waiting'
    throw error
  }
}

test('a step is open exactly where the mint would miss no step before it (protocol.md section 6)', () => {
  fc.assert(
    fc.property(workflow, fc.subarray([...NAMES]), (steps, recorded) => {
      const ids = steps.filter(step => recorded.includes(step.step_id))
      const record: ExecutionRecord = new Map(
        ids.map(step => [step.step_id, { state: step.approval_gate ? 'granted' : 'left', entries: 1, tokens: 1 }]),
      )
      for (const { step_id } of steps.filter(step => !record.has(step.step_id) && !step.approval_gate)) {
        const open = stepGraph(steps).missing(record, step_id).length === 0 ? 'open' : 'waiting'
        assert.equal(open, judged(steps, record, step_id), step_id)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('what is drawn says the whole order and nothing twice: no edge of it follows from the others', () => {
  fc.assert(
    fc.property(workflow, steps => {
      const graph = stepGraph(steps)
      const edges = edgesOf(graph)
      const reached = (from: string, to: string, without?: object): boolean =>
        edges.some(edge => edge !== without && edge.from === from && (edge.to === to || reached(edge.to, to, without)))
      for (const { step_id } of steps) {
        for (const before of graph.prerequisites(step_id)) assert.ok(reached(before, step_id), `${before} ${step_id}`)
      }
      for (const edge of edges.filter(({ kind }) => kind === 'order')) {
        assert.equal(reached(edge.from, edge.to, edge), false, `${edge.from} ${edge.to}`)
      }
    }),
    { numRuns: 2_000 },
  )
})
