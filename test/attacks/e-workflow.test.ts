import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { type Attempt, agentGrant, send } from './attempt.ts'
import { type GivenAgent, givenAgent, givenClient, givenWorkflow, givenWorld, WRITE_API } from './given.ts'
import { refused } from './refused.ts'

const world = await givenWorld({}, { workflow_state: 'asserted' })
const { planner, worker, solo } = world

type Asked = {
  readonly workflow_id?: string | undefined
  readonly workflow_step?: unknown
  readonly completed_steps?: unknown
  readonly workflow_enabled?: unknown
}

/** The agent grant for a step of workflow `patch`, at one of the two endpoints. */
function step(path: '/oauth/token' | '/intent/token', agent: GivenAgent, asked: Asked): Attempt {
  const { completed_steps, ...rest } = { workflow_enabled: true, workflow_id: 'patch', ...asked }
  const attempt = agentGrant(world, path, agent)
  const context = completed_steps === undefined ? {} : { delegation_context: { completed_steps } }
  attempt.params = { ...attempt.params, ...rest, ...context }
  return attempt
}

const good = () => step('/intent/token', planner, { workflow_step: 'plan' })

/** A step is refused in the words of both endpoints. */
async function stepRefused(
  agent: GivenAgent,
  asked: Asked,
  expected: { reason: string; missing_steps?: string[]; ajwt_error?: 'workflow_required' },
) {
  const { ajwt_error, ...rest } = expected
  const intent = { status: 403, error: 'workflow_step_unauthorized', audited: true, ...expected }
  await refused(world, step('/intent/token', agent, asked), intent, good())
  const stock = { status: 400, error: 'invalid_authorization_details', audited: true, ...rest }
  const oauth = { ...stock, ajwt_error: ajwt_error ?? 'workflow_step_unauthorized' }
  await refused(world, step('/oauth/token', agent, asked), oauth, good())
}

test('[attack 71] a skipped required step is named (draft section 4.3.3)', async () => {
  const missing_steps = ['plan', 'gate']
  await stepRefused(worker, { workflow_step: 'apply' }, { reason: 'missing_gate', missing_steps })
  await stepRefused(
    worker,
    { workflow_step: 'apply', completed_steps: ['gate'] },
    { reason: 'missing_steps', missing_steps: ['plan'] },
  )
})

test('[attack 71] a step behind a gate needs the gate, whatever else was done', async () => {
  const asked = { workflow_step: 'apply', completed_steps: ['plan'] }
  await stepRefused(worker, asked, { reason: 'missing_gate', missing_steps: ['gate'] })
  const report = { workflow_step: 'report', completed_steps: ['plan', 'gate'] }
  await stepRefused(worker, report, { reason: 'missing_steps', missing_steps: ['apply'] })
})

test('[attack 72] a step that is said to be completed is not minted for again (section 6, asserted)', async () => {
  const asked = { workflow_step: 'apply', completed_steps: ['plan', 'gate', 'apply'] }
  await stepRefused(worker, asked, { reason: 'current_step_completed' })
  const twice = { workflow_step: 'apply', completed_steps: ['plan', 'plan', 'gate'] }
  await stepRefused(worker, twice, { reason: 'repeated_completed_step' })
})

test('[attack 73] a step of the future is not completed, and unknown ones never were', async () => {
  const future = { workflow_step: 'apply', completed_steps: ['plan', 'gate', 'report'] }
  await stepRefused(worker, future, { reason: 'future_step_completed' })
  const unknown = { workflow_step: 'apply', completed_steps: ['plan', 'gate', 'elsewhere'] }
  await stepRefused(worker, unknown, { reason: 'unknown_completed_step' })
})

test('[attack 75] an agent of a workflow gets nothing outside of it, whatever workflow_enabled says', async () => {
  for (const workflow_enabled of [false, undefined]) {
    const asked = { workflow_id: undefined, workflow_enabled }
    await stepRefused(worker, asked, { reason: 'workflow_required', ajwt_error: 'workflow_required' })
  }
})

test('[attack 75] workflow_enabled is a boolean that agrees with the rest (section 6)', async () => {
  const malformed = { status: 400, error: 'invalid_request', reason: 'malformed_parameter', audited: false }
  for (const workflow_enabled of ['false', 0, 1, null, 'yes', {}]) {
    await refused(world, step('/intent/token', planner, { workflow_step: 'plan', workflow_enabled }), malformed, good())
  }
  const half = { ...malformed, reason: 'half_workflow_request' }
  for (const asked of [
    { workflow_step: 'plan', workflow_enabled: false },
    { workflow_step: undefined },
    { workflow_id: undefined, workflow_step: 'plan' },
    { workflow_id: undefined },
  ]) {
    await refused(world, step('/intent/token', planner, asked), half, good())
    await refused(world, step('/oauth/token', planner, asked), half, good())
  }
})

test('[attack 75] details that disagree with the plain parameters are refused (section 6)', async () => {
  const detail = { type: 'urn:remit:workflow-step', workflow_id: 'patch', workflow_step: 'plan' }
  const attempt = step('/intent/token', planner, { workflow_step: 'plan' })
  attempt.params.authorization_details = [{ ...detail, workflow_step: 'apply' }]
  const half = { status: 400, error: 'invalid_request', reason: 'half_workflow_request', audited: false }
  await refused(world, attempt, half, good())
})

test('[attack 75] on the caller’s word there is no execution, and no approval of arguments (section 6, asserted)', async () => {
  const detail = { type: 'urn:remit:workflow-step', workflow_id: 'patch', workflow_step: 'plan' }
  const recordedOnly = { status: 400, error: 'invalid_request', reason: 'recorded_only', audited: true }
  for (const about of [{ arguments: { amount: 1 } }, { execution_id: `exe_${'A'.repeat(22)}` }]) {
    const attempt = step('/intent/token', planner, { workflow_step: 'plan' })
    attempt.params.authorization_details = [{ ...detail, ...about }]
    await refused(world, attempt, recordedOnly, good())
  }
})

test('[attack 76] wrong agent, unknown workflow or step, and twins of their names are refused alike', async () => {
  await stepRefused(solo, { workflow_step: 'plan' }, { reason: 'step_of_other_agent' })
  await stepRefused(
    planner,
    { workflow_step: 'apply', completed_steps: ['plan', 'gate'] },
    { reason: 'step_of_other_agent' },
  )
  for (const workflow_step of ['Plan', 'pl\u0430n', 'plan ', 'nothing']) {
    await stepRefused(planner, { workflow_step }, { reason: 'unknown_step' })
  }
  for (const workflow_id of ['Patch', 'p\u0430tch', 'nothing']) {
    await stepRefused(planner, { workflow_id, workflow_step: 'plan' }, { reason: 'unknown_workflow' })
  }
})

test('[attack 76] a workflow of another client is unknown here', async () => {
  const rival = await givenClient(world.ctx)
  await givenAgent(world.ctx, rival, 'planner')
  await givenWorkflow(world.ctx, rival, 'rivals', [{ step_id: 'plan', agent_id: 'planner' }])
  await stepRefused(planner, { workflow_id: 'rivals', workflow_step: 'plan' }, { reason: 'unknown_workflow' })
})

test('[attack 56] a step with an access of its own is a ceiling, too (section 6, row 10)', async () => {
  const { ctx, client } = world
  const agent = await givenAgent(ctx, client, 'limited', { grant: { outside_workflow: true } })
  const access = [{ resource: WRITE_API, scope: 'write' }]
  await givenWorkflow(ctx, client, 'limits', [{ step_id: 'only', agent_id: 'limited', access }])
  const asked = (target: object) => {
    const attempt = step('/intent/token', agent, { workflow_id: 'limits', workflow_step: 'only' })
    attempt.params = { ...attempt.params, ...target }
    return attempt
  }
  const inside = () => asked({ requested_scopes: ['write'], audience: WRITE_API })
  const outside = { status: 400, error: 'invalid_target', reason: 'invalid_target', audited: true }
  await refused(world, asked({}), outside, inside())
  // The grant says that it may also ask without a workflow, with all of its own access.
  assert.equal((await send(world, agentGrant(world, '/intent/token', agent))).status, 200)
})

test('the step of an honest request is in the token, and said to be asserted (section 7)', async () => {
  const details = [{ type: 'urn:remit:workflow-step', workflow_id: 'patch', workflow_step: 'apply' }]
  const attempt = step('/oauth/token', worker, { workflow_step: 'apply', completed_steps: ['plan', 'gate'] })
  attempt.params.authorization_details = details
  const { status, body } = await send(world, attempt)
  assert.equal(status, 200)
  assert.deepEqual(body.authorization_details, details)
  const [, payload = ''] = String(body.access_token).split('.')
  const { intent, authorization_details } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  assert.deepEqual(authorization_details, details)
  assert.equal(intent.state, 'asserted')
  assert.equal(intent.step_sequence_hash, sequenceHash(['plan', 'gate', 'apply']))
})
