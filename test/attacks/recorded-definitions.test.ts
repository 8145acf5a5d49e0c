import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, agentGrant, send } from './attempt.ts'
import { givenWorld, READ_API, WRITE_API } from './given.ts'
import { callAs, givenCrew, memberOf, minted } from './recorded.ts'

const world = await givenWorld()
const { ctx } = world
const crew = await givenCrew(world)
const { client_id } = crew.client

async function register(definition: object): Promise<Answer> {
  const request = { path: '/intent/register/workflow', body: definition }
  return await callAs(world, crew.client, 'register:workflow', request)
}

const step = (step_id: string, rules: object = {}) => ({ step_id, agent_id: 'planner', ...rules })
const chain = (length: number) => Array.from({ length }, (_, n) => step(`s${n}`))
const within = (resource: string, scope: string) => ({ access: [{ resource, scope }] })

/** What cannot be kept, and why, as the audit says it. */
const REFUSED: readonly (readonly [string, readonly object[]])[] = [
  ['dependency_cycle', [step('a', { dependencies: ['a'] })]],
  ['dependency_cycle', [step('a', { dependencies: ['b'] }), step('b', { dependencies: ['a'] })]],
  [
    'dependency_cycle',
    [step('a', { dependencies: ['c'] }), step('b', { dependencies: ['a'] }), step('c', { dependencies: ['b'] })],
  ],
  [
    'gate_waits_for_step',
    [{ step_id: 'gate', approval_gate: true, dependencies: ['a'] }, step('a', { requires_approval: true })],
  ],
  ['duplicate_step', [step('a'), step('a')]],
  ['unknown_dependency', [step('a', { dependencies: ['z'] })]],
  ['unknown_agent', [step('a', { agent_id: 'nobody' })]],
  ['step_without_agent', [{ step_id: 'a' }]],
  ['step_without_agent', [step('a'), { step_id: 'b', requires_approval: false }]],
  ['missing_gate', [step('a', { requires_approval: true })]],
  ['missing_gate', [step('a', { requires_approval: true }), { step_id: 'gate', approval_gate: true }]],
  ['missing_gate', [step('a', { requires_approval: true, approval_gate: true })]],
  ['access_above_client', [step('a', within(READ_API, 'write'))]],
  ['access_above_client', [step('a', within(WRITE_API, 'read'))]],
  ['access_above_client', [step('a', within(world.app.issuer, 'register:workflow'))]],
  ['access_above_client', [step('a', within(`${world.app.issuer}/admin`, 'approve:steps'))]],
]

test('[attack 78] a definition that cannot be kept is 400, with its cause in the audit, and registers nothing (section 5)', async () => {
  for (const [reason, steps] of REFUSED) {
    await ctx.db.deleteFrom('audit_event').execute()
    const answer = await register({ workflow_id: 'bad', steps })
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'], `${reason}: ${answer.text}`)
    const rows = await ctx.db
      .selectFrom('audit_event')
      .select(['outcome', 'reason', 'client_id'])
      .where('action', '=', 'workflow.register')
      .execute()
    assert.deepEqual(rows, [{ outcome: 'refused', reason, client_id }])
  }
  assert.deepEqual(await versionsOf('bad'), [])
})

test('[attack 78] more than 256 steps, or 10,000, are 400 before anything is looked at; 256 are kept (section 5)', async () => {
  for (const steps of [chain(257), chain(1_000), []]) {
    const answer = await register({ workflow_id: 'long', steps })
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'])
  }
  // Larger than any body may be.
  assert.equal((await register({ workflow_id: 'long', steps: chain(10_000) })).status, 413)
  assert.deepEqual(await versionsOf('long'), [])
  assert.equal((await register({ workflow_id: 'long', steps: chain(256) })).status, 200)
})

test('[attack 78] ids with a pipe, controls or another order, and unknown members, are 400 (section 5)', async () => {
  const definitions: readonly object[] = [
    { steps: [step('a|b')] },
    { steps: [step('a\u0000')] },
    { steps: [step('\u202ea')] },
    { steps: { 2: { agent_id: 'planner' }, 1: { agent_id: 'planner' } } },
    { steps: [step('a', { status: 'entered' })] },
    { steps: [step('a', { required: 'true' })] },
    { steps: [step('a')], version: 7 },
    { steps: [step('a')], workflow_id: 'a|b' },
  ]
  for (const definition of definitions) {
    const answer = await register({ workflow_id: 'odd', ...definition })
    assert.deepEqual([answer.status, answer.body.error], [400, 'invalid_request'], JSON.stringify(definition))
  }
  assert.deepEqual(await versionsOf('odd'), [])
})

test('[attack 78] a graph that can be kept is: diamonds, parallel branches, joins, and a gate (section 5)', async () => {
  const steps = [
    step('a', { required: true }),
    step('left', { dependencies: ['a'] }),
    step('right', { dependencies: ['a'] }),
    step('join', { dependencies: ['left', 'right'] }),
    { step_id: 'gate', approval_gate: true, dependencies: ['join'] },
    step('last', { requires_approval: true, dependencies: ['gate'] }),
  ]
  const answer = await register({ workflow_id: 'diamond', steps })
  assert.deepEqual([answer.status, memberOf(answer.body, 'status')], [200, 'registered'])
  const { execution_id } = await minted(world, crew.planner, { workflow_id: 'diamond', step: 'a' })
  for (const step of ['right', 'left', 'join']) {
    await minted(world, crew.planner, { workflow_id: 'diamond', step, execution_id })
  }
  assert.equal((await send(world, agentGrant(world, '/intent/token', world.solo))).status, 200)
})

async function versionsOf(workflow_id: string) {
  return await ctx.db
    .selectFrom('workflow_version')
    .select('version')
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .execute()
}
