import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { type WorkflowStep, workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import { checkAssertedChain, checkAssertedStep } from '../../src/server/registry/workflow-step.ts'
import { refusedNow } from './given.ts'

const steps: readonly WorkflowStep[] = workflowRegistrationSchema.parse({
  workflow_id: 'w',
  steps: [
    { step_id: 'plan', agent_id: 'planner', required: true },
    { step_id: 'look', agent_id: 'reader' },
    { step_id: 'gate', approval_gate: true },
    { step_id: 'pay', agent_id: 'payer', requires_approval: true, dependencies: ['look'], access: [] },
    { step_id: 'tell', agent_id: 'planner' },
  ],
}).steps

function check(workflow_step: string, agent_id: string, completed_steps: string[]) {
  return checkAssertedStep({ steps, workflow_step, agent_id, completed_steps })
}

test('a step whose earlier steps are done gives its ceiling (protocol.md section 6)', () => {
  assert.deepEqual(check('plan', 'planner', []), {})
  assert.deepEqual(check('pay', 'payer', ['plan', 'look', 'gate']), { access: [] })
})

test('[attack 71] skipped required steps, dependencies and gates are named, in the order of the definition', () => {
  assert.throws(
    () => check('pay', 'payer', []),
    (error: unknown) => {
      assert(error instanceof OAuthError)
      assert.equal(error.code, 'workflow_step_unauthorized')
      assert.deepEqual(error.details, { reason: 'missing_gate', missing_steps: ['plan', 'look', 'gate'] })
      return true
    },
  )
})

test('[attack 71] a missing gate is named even where everything else is done', async () => {
  assert.deepEqual(await refusedNow(() => check('pay', 'payer', ['plan', 'look'])), {
    code: 'workflow_step_unauthorized',
    reason: 'missing_gate',
  })
})

test('[attack 73] completed steps are known, once, and possible before the current one', async () => {
  const refusals = [
    [['plan', 'nope'], 'unknown_completed_step'],
    [['plan', 'plan'], 'repeated_completed_step'],
    [['plan', 'look'], 'current_step_completed'],
    [['plan', 'pay'], 'future_step_completed'],
  ] as const
  for (const [completed, reason] of refusals) {
    assert.deepEqual(await refusedNow(() => check('look', 'reader', [...completed])), {
      code: 'workflow_step_unauthorized',
      reason,
    })
  }
})

test('[attack 73] nothing is done before a required first step', async () => {
  assert.deepEqual(await refusedNow(() => check('plan', 'planner', ['tell'])), {
    code: 'workflow_step_unauthorized',
    reason: 'future_step_completed',
  })
})

test("[attack 76] another agent's step and a twin of a step id are refused", async () => {
  assert.deepEqual(await refusedNow(() => check('plan', 'reader', [])), {
    code: 'workflow_step_unauthorized',
    reason: 'step_of_other_agent',
  })
  assert.deepEqual(await refusedNow(() => check('Plan', 'planner', [])), {
    code: 'workflow_step_unauthorized',
    reason: 'unknown_step',
  })
})

test('nothing is minted for an approval gate that is assigned to no agent', async () => {
  assert.deepEqual(await refusedNow(() => check('gate', 'planner', ['plan'])), {
    code: 'workflow_step_unauthorized',
    reason: 'step_is_gate',
  })
})

test('an asserted chain ends with the agent, knows each element, has each once and at most 5 hops (section 6)', async () => {
  const known = new Set(['a', 'b', 'c', 'd', 'e', 'f'])
  assert.deepEqual(checkAssertedChain(['a'], 'b', known), ['a', 'b'])
  assert.deepEqual(checkAssertedChain(['a', 'b'], 'b', known), ['a', 'b'])
  assert.equal(checkAssertedChain(['a', 'b', 'c', 'd', 'e'], 'f', known).length, 6)
  const refusals = [
    [['a', 'b', 'c', 'd', 'e', 'f'], 'g', 'chain_too_long'],
    [['b', 'a'], 'b', 'chain_loop'],
    [['x'], 'b', 'chain_unknown_agent'],
  ] as const
  for (const [chain, agent, reason] of refusals) {
    assert.deepEqual(await refusedNow(() => checkAssertedChain(chain, agent, known)), {
      code: 'delegation_unauthorized',
      reason,
    })
  }
})
