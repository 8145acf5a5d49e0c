import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workflowChanges } from '../../src/cli/workflow-changes.ts'
import type { StepView } from '../../src/protocol/workflow-views.ts'

function step(step_id: string, over: Partial<StepView> = {}): StepView {
  const plain = { agent_id: 'planner', action: null, access: null, dependencies: [] }
  return { step_id, ...plain, required: false, approval_gate: false, requires_approval: false, ...over }
}

test('what a version changes is told a step a line, as it was and as it would be (reliability.md section 6)', () => {
  const before = [step('plan'), step('gate', { agent_id: null, approval_gate: true }), step('pay')]
  const after = [step('plan'), step('pay', { dependencies: ['plan'], required: true }), step('more')]
  assert.deepEqual(workflowChanges(before, after), [
    '- gate  a person decides  (approval gate)',
    '- pay  planner',
    '+ pay  planner  (required)  after plan',
    '+ more  planner',
  ])
})

test('an order that changes alone is no silence (reliability.md section 6)', () => {
  const [a, b] = [step('a'), step('b')]
  const said = 'no step differs in what is shown here; perhaps their order does'
  assert.deepEqual(workflowChanges([a, b], [b, a]), [said])
})
