import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { givenWorkflow } from '../attacks/given.ts'
import { callAs, memberOf } from '../attacks/recorded.ts'
import { because, delegate, givenCrew, mint, refusedUnder } from './delegating.ts'

/* Executions that POST /intent/executions opened: what their tokens say, and the limits they lowered (section 6). */

const { world, client, agents } = await givenCrew()
const [a, b, c] = agents
assert.ok(a && b && c)
await givenWorkflow(world.ctx, client, 'flow', [{ step_id: 'plan', agent_id: 'a', required: true }])

/** @returns what a mint in the step needs to name */
async function opened(limits?: object) {
  const body = { workflow_id: 'flow', ...(limits && { limits }) }
  const answer = await callAs(world, client, 'generate:intent-token', { path: '/intent/executions', body })
  assert.equal(answer.status, 201, answer.text)
  assert.deepEqual(memberOf(answer.body, 'limits'), { ...LIMITS_DEFAULT, ...limits })
  const execution_id = String(answer.body.execution_id)
  return { params: { workflow_id: 'flow', workflow_step: 'plan', execution_id } }
}

test('every token of an execution that a client opened says that the client began it (section 7, initiated_by)', async () => {
  const step = await opened()
  const root = await mint(world, a, undefined, step)
  const delegated = await mint(world, b, await delegate(world, root, b), step)
  for (const { claims } of [root, delegated]) {
    const { execution_id, initiated_by } = claims.intent ?? {}
    assert.deepEqual([execution_id, initiated_by], [step.params.execution_id, 'crew'])
    // It is whose intent it serves, not whose token it is: the root stays the subject.
    assert.equal(claims.sub, 'agent:crew:a')
  }
})

test('[attack 69] an execution lowers max_children of its client for each of its tokens (section 6, limits)', async () => {
  const step = await opened({ max_children: 1 })
  const root = await mint(world, a, undefined, step)
  const first = await delegate(world, root, b)
  await mint(world, b, first, step)
  const full = because('max_children', 'limit_exceeded')
  await refusedUnder(world, b, await delegate(world, root, b), full, step)
  await refusedUnder(world, c, await delegate(world, root, c), full, step)
  // The one that has the place keeps it, and elsewhere the client's own limit holds.
  await mint(world, b, first, step)
  const wide = await opened()
  const other = await mint(world, a, undefined, wide)
  for (const agent of [b, c, b]) await mint(world, agent, await delegate(world, other, agent), wide)
})

test('[attack 74] and max_tokens: one token of a step that its client could mint again (section 6, limits)', async () => {
  const step = await opened({ max_tokens: 1 })
  const root = await mint(world, a, undefined, step)
  const refusal = { status: 403, error: 'workflow_step_unauthorized', ajwt_error: 'limit_exceeded', audited: true }
  await refusedUnder(world, b, await delegate(world, root, b), { ...refusal, reason: 'max_tokens' }, step)
})
