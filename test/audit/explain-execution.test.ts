import assert from 'node:assert/strict'
import { test } from 'node:test'
import { send } from '../attacks/attempt.ts'
import { givenWorkflow, givenWorld } from '../attacks/given.ts'
import { type Asked, givenCrew, minted, stepAttempt } from '../attacks/recorded.ts'
import { givenAdmin } from '../support/given.ts'
import { caller, explained, factsOf } from './given.ts'

const world = await givenWorld()
const { app, ctx } = world
const asAdmin = caller(app, await givenAdmin(app), 'admin')
const { client, planner, worker } = await givenCrew(world)
const step = (step_id: string, agent_id: string) => ({ step_id, agent_id, required: true })
const PLAN = step('plan', 'planner')
const CHECK = step('check', 'worker')
const APPLY = step('apply', 'planner')

/** A workflow, an execution of its first version, and a second version without the step between. */
async function givenOvertaken(workflow_id: string) {
  await givenWorkflow(ctx, client, workflow_id, [PLAN, CHECK, APPLY])
  const { execution_id } = await minted(world, planner, { workflow_id, step: 'plan' })
  await givenWorkflow(ctx, client, workflow_id, [PLAN, APPLY])
  return { workflow_id, execution_id }
}

async function refusedStep(agent: typeof planner, asked: Asked) {
  const answer = await send(world, stepAttempt(world, '/intent/token', agent, asked))
  assert.ok(answer.status >= 400, answer.text)
  return await explained(asAdmin, answer.headers['x-request-id'])
}

test('a step too early in an execution: its own version, what of it was entered, and its command', async () => {
  const given = await givenOvertaken('overtaken')
  const about = await refusedStep(planner, { ...given, step: 'apply' })
  assert.equal(about.reason, 'missing_steps')
  const facts = {
    'missing steps': 'check',
    'asked execution_id': given.execution_id,
    execution: `${given.execution_id} of workflow overtaken, client ${client.client_id}`,
    'execution initiated_by': `agent:${client.client_id}:planner`,
    'workflow version': '1',
    'workflow steps': 'plan: planner, check: worker, apply: planner',
    'workflow version now': '2 counts for new executions',
    'execution steps entered': 'plan',
    'execution steps left': 'none',
    'execution steps open': 'check',
    'execution steps waiting': 'apply',
  }
  assert.deepEqual(factsOf(about, Object.keys(facts)), facts)
  assert.match(factsOf(about, ['execution status'])['execution status'] ?? '', /^open until /)
  assert.equal(about.command, `remit execution show ${given.execution_id}`)
})

test('a step that only the version of the execution has is named, and not called unknown', async () => {
  const given = await givenOvertaken('narrowed')
  const about = await refusedStep(planner, { ...given, step: 'check' })
  const names = ['asked workflow_step', 'workflow version']
  assert.deepEqual(
    [about.reason, factsOf(about, names)],
    ['step_of_other_agent', { 'asked workflow_step': 'check', 'workflow version': '1' }],
  )
})

test('without an execution the version that counts now is shown, and no other', async () => {
  const { workflow_id } = await givenOvertaken('afresh')
  const about = await refusedStep(planner, { workflow_id, step: 'apply' })
  const names = ['missing steps', 'workflow version', 'workflow steps', 'execution', 'workflow version now']
  assert.equal(about.reason, 'not_an_entry_step')
  assert.deepEqual(factsOf(about, names), {
    'missing steps': 'plan',
    'workflow version': '2',
    'workflow steps': 'plan: planner, apply: planner',
    execution: undefined,
    'workflow version now': undefined,
  })
  assert.equal(about.command, `remit workflow show ${client.client_id} afresh`)
})

test('an execution that the version which counts was made for is not said to be overtaken', async () => {
  await givenWorkflow(ctx, client, 'newest', [PLAN, CHECK])
  const { execution_id } = await minted(world, planner, { workflow_id: 'newest', step: 'plan' })
  const about = await refusedStep(worker, { workflow_id: 'newest', step: 'plan', execution_id })
  const names = ['workflow version', 'workflow version now']
  assert.deepEqual(factsOf(about, names), { 'workflow version': '1', 'workflow version now': undefined })
})

test('an execution of another client is an unknown one, and nothing of it is told', async () => {
  const other = await givenCrew(world)
  await givenWorkflow(ctx, other.client, 'theirs', [PLAN, CHECK])
  await givenWorkflow(ctx, client, 'theirs', [PLAN, CHECK])
  const { execution_id } = await minted(world, other.planner, { workflow_id: 'theirs', step: 'plan' })
  const about = await refusedStep(worker, { workflow_id: 'theirs', step: 'check', execution_id })
  const names = ['asked execution_id', 'execution', 'workflow version']
  assert.equal(about.reason, 'unknown_execution')
  const facts = { 'asked execution_id': 'an unknown one', execution: undefined, 'workflow version': '1' }
  assert.deepEqual(factsOf(about, names), facts)
})
