import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { agentGrant } from './attempt.ts'
import { givenAgent, givenClient, givenWorkflow, givenWorld, READ_API } from './given.ts'
import { comparable, ENDPOINTS, givenCrew, minted, stepAttempt, stepRefused, stepRows } from './recorded.ts'
import { refused } from './refused.ts'

const world = await givenWorld()
const { ctx, app } = world
const STEPS = [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'test', agent_id: 'worker', required: true },
  { step_id: 'gate', approval_gate: true },
  { step_id: 'patch', agent_id: 'worker', required: true },
  { step_id: 'sign', agent_id: 'worker', requires_approval: true },
]

async function scene(policies: object = {}, steps: readonly object[] = STEPS) {
  const crew = await givenCrew(world, policies)
  await givenWorkflow(ctx, crew.client, 'flow', steps)
  return crew
}

test('[attack 71] a skipped required step is named, though the execution is under way (draft section 4.3.3)', async () => {
  const { planner, worker } = await scene()
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const missing = { reason: 'missing_steps', missing_steps: ['test'] }
  await stepRefused(world, worker, { step: 'patch', execution_id }, missing)
  await stepRefused(world, worker, { step: 'sign', execution_id }, { ...missing, missing_steps: ['test', 'patch'] })
  await minted(world, worker, { step: 'test', execution_id })
  await minted(world, worker, { step: 'patch', execution_id })
})

test('[attack 71] only an entry step opens an execution, whatever is said to be completed (section 6)', async () => {
  const { planner, worker } = await scene()
  const named = { reason: 'completed_step_not_recorded', missing_steps: ['plan', 'test'] }
  await stepRefused(world, worker, { step: 'patch', completed_steps: ['plan', 'test'] }, named)
  const notAnEntry = { reason: 'not_an_entry_step', missing_steps: ['plan', 'test'] }
  for (const path of ENDPOINTS) {
    const attempt = stepAttempt(world, path, worker, { step: 'patch' })
    const expected = { status: 400, error: 'invalid_request', audited: true, ...notAnEntry }
    await refused(world, attempt, expected, agentGrant(world, '/oauth/token', world.solo))
  }
  await minted(world, planner, { step: 'plan' })
})

test('[attack 71] a step behind a gate waits for its approval; naming the gate as completed helps nobody (section 6)', async () => {
  const { planner, worker } = await scene()
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  await minted(world, worker, { step: 'test', execution_id })
  await minted(world, worker, { step: 'patch', execution_id })
  const sign = { step: 'sign', execution_id }
  await stepRefused(
    world,
    worker,
    { ...sign, completed_steps: ['plan', 'gate'] },
    { reason: 'completed_step_not_recorded', missing_steps: ['gate'] },
  )
  const waits = { reason: 'approval_pending', ajwt_error: 'approval_pending', approval: true }
  await stepRefused(world, worker, sign, waits)
  await stepRefused(world, worker, { ...sign, arguments: { pr: 7 } }, waits)
  await stepRefused(world, worker, { step: 'gate', execution_id }, { reason: 'step_is_gate' })
})

test('[attack 71] nobody but the owner is told what is missing (section 10)', async () => {
  const { planner } = await scene()
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const stranger = await givenCrew(world)
  await givenWorkflow(ctx, stranger.client, 'flow', STEPS)
  const unknown = { reason: 'unknown_execution' }
  await stepRefused(world, stranger.worker, { step: 'patch', execution_id }, unknown)
})

test('[attack 72] a step that was left is not minted for again, but a repeatable one is (section 6)', async () => {
  const [plan, tests, ...rest] = STEPS
  const { planner, worker } = await scene({}, [plan ?? {}, { ...tests, repeatable: true }, ...rest])
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  await minted(world, worker, { step: 'test', execution_id })
  await minted(world, worker, { step: 'patch', execution_id })
  await stepRefused(world, planner, { step: 'plan', execution_id }, { reason: 'step_left' })
  await minted(world, worker, { step: 'test', execution_id })
  assert.deepEqual(await stepRows(world, execution_id), [
    { step_id: 'patch', state: 'entered', entries: 1, tokens: 1 },
    { step_id: 'plan', state: 'left', entries: 1, tokens: 1 },
    { step_id: 'test', state: 'entered', entries: 2, tokens: 1 },
  ])
})

test('[attack 72] while a step is entered it gives max_tokens tokens and no more (section 6)', async () => {
  const limits = { max_tokens: 3, max_children: 16, max_nodes: 256 }
  const { planner } = await scene({ limits })
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  for (const path of ENDPOINTS) await minted(world, planner, { step: 'plan', execution_id }, path)
  const spent = { reason: 'max_tokens', ajwt_error: 'limit_exceeded' }
  await stepRefused(world, planner, { step: 'plan', execution_id }, spent)
  assert.deepEqual(await stepRows(world, execution_id), [{ step_id: 'plan', state: 'entered', entries: 1, tokens: 3 }])
})

test('[attack 72] what cannot be undone gives one token, also where more were allowed (section 6)', async () => {
  const [plan, ...rest] = STEPS
  const { planner } = await scene({}, [{ ...plan, reversible: false }, ...rest])
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const spent = { reason: 'max_tokens', ajwt_error: 'limit_exceeded' }
  await stepRefused(world, planner, { step: 'plan', execution_id }, spent)
})

test('[attack 72] an execution gives max_nodes tokens in all (section 6)', async () => {
  const limits = { max_tokens: 16, max_children: 16, max_nodes: 2 }
  const { planner, worker } = await scene({ limits })
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  await minted(world, worker, { step: 'test', execution_id })
  const spent = { reason: 'max_nodes', ajwt_error: 'limit_exceeded' }
  await stepRefused(world, worker, { step: 'patch', execution_id }, spent)
})

test('[attack 73] out of order is refused, and a step of the future is not completed by being named (section 6)', async () => {
  const { planner, worker } = await scene()
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  for (const completed_steps of [['test'], ['plan', 'test'], ['plan', 'test', 'patch', 'sign']]) {
    const missing_steps = completed_steps.filter(id => id !== 'plan')
    const notRecorded = { reason: 'completed_step_not_recorded', missing_steps }
    await stepRefused(world, worker, { step: 'patch', execution_id, completed_steps }, notRecorded)
  }
  const unknown = { reason: 'completed_step_not_recorded', missing_steps: ['elsewhere'] }
  await stepRefused(world, worker, { step: 'test', execution_id, completed_steps: ['elsewhere'] }, unknown)
})

test('[attack 68] a chain or completed_steps that disagree with the record are refused, and never believed (section 6)', async () => {
  const { planner, worker } = await scene()
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const step = { step: 'test', execution_id }
  const other = { code: 'delegation_unauthorized', reason: 'chain_not_recorded' } as const
  for (const chain of [['planner'], ['planner', 'worker'], ['worker', 'planner'], ['worker', 'worker'], ['nobody']]) {
    await stepRefused(world, worker, { ...step, chain }, other)
  }
  const missing_steps = ['test', 'patch']
  await stepRefused(
    world,
    worker,
    { ...step, completed_steps: ['plan', ...missing_steps] },
    { reason: 'completed_step_not_recorded', missing_steps },
  )
  const { claims } = await minted(world, worker, step)
  for (const path of ENDPOINTS) {
    const truth = await minted(world, worker, { ...step, chain: ['worker'], completed_steps: ['plan'] }, path)
    assert.deepEqual(comparable(truth.claims), comparable(claims))
  }
  // What is left out of the truth changes nothing either: the sequence is the record's.
  const nothing = await minted(world, worker, { ...step, chain: [], completed_steps: [] })
  assert.deepEqual(comparable(nothing.claims), comparable(claims))
  assert.equal(claims.intent?.state, 'recorded')
  assert.equal(claims.intent?.step_sequence_hash, sequenceHash(['plan', 'test']))
  assert.equal(claims.intent?.delegation_chain, sequenceHash(['worker']))
})

test('[attack 68] outside of a workflow a chain is the record’s, too, where executions are recorded (section 6)', async () => {
  const { free } = await scene()
  const other = { code: 'delegation_unauthorized', reason: 'chain_not_recorded' } as const
  await stepRefused(world, free, { chain: ['planner', 'free'] }, other)
  const { claims } = await minted(world, free, { chain: ['free'] })
  assert.deepEqual([claims.intent?.state, claims.intent?.delegation_chain], ['none', sequenceHash(['free'])])
})

test('[attack 76] a wrong agent, a twin of a step’s name or of a workflow’s, and another client’s workflow (section 6)', async () => {
  const { planner, worker, free } = await scene()
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const other = { reason: 'step_of_other_agent' }
  await stepRefused(world, planner, { step: 'test', execution_id }, other)
  await stepRefused(world, free, { step: 'test', execution_id }, other)
  await stepRefused(world, worker, { step: 'plan' }, other)
  for (const step of ['Test', 't\u0435st', 'test ', 'tes\u0074\u0301', 'nothing']) {
    await stepRefused(world, worker, { step, execution_id }, { reason: 'unknown_step' })
  }
  const rival = await givenClient(ctx, undefined, {
    access: [
      { resource: READ_API, scope: 'read' },
      { resource: app.issuer, scope: 'generate:intent-token' },
    ],
  })
  await givenAgent(ctx, rival, 'worker', { grant: { access: [{ resource: READ_API, scope: 'read' }] } })
  await givenWorkflow(ctx, rival, 'rivals', [{ step_id: 'test', agent_id: 'worker' }])
  for (const workflow_id of ['Flow', 'fl\u043ew', 'rivals', 'nothing']) {
    await stepRefused(world, worker, { workflow_id, step: 'test' }, { reason: 'unknown_workflow' })
    const elsewhere = { reason: 'execution_of_other_workflow' }
    await stepRefused(world, worker, { workflow_id, step: 'test', execution_id }, elsewhere)
  }
})
