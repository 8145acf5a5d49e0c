import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { MAX_STEPS, type WorkflowStep } from '../../src/protocol/workflow.ts'
import { edgesOf } from '../../src/server/registry/execution-graph.ts'
import { stepViews } from '../../src/server/registry/execution-steps.ts'
import { judgeStep } from '../../src/server/registry/recorded-step.ts'
import { stepGraph } from '../../src/server/registry/step-record.ts'
import { validateDefinition } from '../../src/server/registry/workflow-definition.ts'
import { LEFT, stepsOf } from './asked-step.ts'

const GATES = MAX_STEPS - 2

/** `plan`, as many gates as there may be, each with dependencies, and `pay` behind all of them. */
function worst(reach: number, gate: object, later: object = {}): readonly WorkflowStep[] {
  const names = Array.from({ length: GATES }, (_, at) => `gate-${at}`)
  const dependencies = (at: number) => ['plan', ...names].slice(Math.max(0, at + 1 - reach), at + 1)
  const gates = names.map((id, at) => [
    id,
    { approval_gate: true, dependencies: dependencies(at), ...gate, ...(at > 0 && later) },
  ])
  const steps = stepsOf({
    plan: {},
    ...Object.fromEntries(gates),
    pay: { dependencies: reach === 0 ? [] : names.slice(-reach) },
  })
  validateDefinition(steps, new Set(['ann']), { access: [], recorded: true })
  return steps
}

const SHAPES: readonly (readonly [string, readonly WorkflowStep[]])[] = [
  ['required gates', worst(4, { required: true })],
  ['gates that wait for each other', worst(4, {})],
  ['gates that take the one before', worst(0, {}, { requires_approval: true })],
]

/** In milliseconds, of three: what else the machine does is not measured. */
function shortest(work: () => void): number {
  const times = [1, 2, 3].map(() => {
    const began = performance.now()
    work()
    return performance.now() - began
  })
  return Math.min(...times)
}

for (const [shape, steps] of SHAPES) {
  test(`[attack 78] no definition that can be registered holds up a mint or a view: ${shape}`, () => {
    const limits = { ...LIMITS_DEFAULT, max_nodes: 10 }
    const asked = { limits, nodes: 0, approvals: [], workflow_step: 'pay', agent_id: 'ann', completed_steps: [] }
    const record = new Map([['plan', LEFT]])
    const rest = { within_step: false, opens: false, has_arguments: false }
    const mint = shortest(() => judgeStep({ ...asked, ...rest, record, graph: stepGraph(steps) }))
    assert.ok(mint < 100, `a mint took ${mint} ms`)
    const drawn = shortest(() => edgesOf(stepGraph(steps)))
    const view = shortest(() => stepViews(stepGraph(steps), [], []))
    assert.ok(view + drawn < 300, `a view took ${view} ms, its edges ${drawn} ms`)
  })
}
