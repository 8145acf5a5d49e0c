import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { generateKey } from '../support/dpop.ts'
import { foreignToken, givenTrustedIssuer, JWT_TYPE } from '../token/foreign.ts'
import { type Answer, agentGrant, send } from './attempt.ts'
import { givenWorkflow, givenWorld } from './given.ts'
import { type Crew, callAs, givenCrew, memberOf, minted, stepAttempt, stepRefused, stepRows } from './recorded.ts'
import { refused } from './refused.ts'

const world = await givenWorld()
const { ctx, app } = world
const PLAN = { step_id: 'plan', agent_id: 'planner', required: true }
const TEST = { step_id: 'test', agent_id: 'worker', required: true }
const PATCH = { step_id: 'patch', agent_id: 'worker' }
const foreignKey = await generateKey()

async function scene(): Promise<Crew> {
  const crew = await givenCrew(world)
  await givenWorkflow(ctx, crew.client, 'flow', [PLAN, TEST, PATCH])
  return crew
}

async function register(crew: Crew, steps: readonly object[]): Promise<Answer> {
  const request = { path: '/intent/register/workflow', body: { workflow_id: 'flow', steps } }
  return await callAs(world, crew.client, 'register:workflow', request)
}

async function deregister(crew: Crew, more = ''): Promise<Answer> {
  const path = `/intent/deregister/workflow?workflow_id=flow${more}`
  return await callAs(world, crew.client, 'register:workflow', { path })
}

async function auditOf(action: string, client_id: string) {
  return await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason'])
    .where('action', '=', action)
    .where('client_id', '=', client_id)
    .orderBy('id')
    .execute()
}

test('[attack 77] a workflow that is redefined is a new version; what runs goes on as it began (section 5)', async () => {
  const crew = await scene()
  const { planner, worker } = crew
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const changed = await register(crew, [PLAN, { ...PATCH, agent_id: 'planner' }])
  assert.deepEqual([changed.status, changed.body], [200, { status: 'registered', workflow_id: 'flow', version: 2 }])

  // By version 1: the step that version 2 left out is still due, and the agent is still the one it named.
  await stepRefused(
    world,
    worker,
    { step: 'patch', execution_id },
    { reason: 'missing_steps', missing_steps: ['test'] },
  )
  await stepRefused(world, planner, { step: 'patch', execution_id }, { reason: 'step_of_other_agent' })
  await minted(world, worker, { step: 'test', execution_id })
  const { claims } = await minted(world, worker, { step: 'patch', execution_id })
  assert.equal(claims.intent?.step_sequence_hash, sequenceHash(['plan', 'test', 'patch']))
  const seen = await callAs(world, crew.client, 'generate:intent-token', {
    path: `/intent/executions/${execution_id}`,
    method: 'GET',
  })
  assert.equal(memberOf(seen.body, 'workflow_version'), 1)

  // By version 2: what begins now.
  const next = await minted(world, planner, { step: 'plan' })
  await stepRefused(world, worker, { step: 'test', execution_id: next.execution_id }, { reason: 'unknown_step' })
  await minted(world, planner, { step: 'patch', execution_id: next.execution_id })
})

test('[attack 77] a version that opens a running execution to another agent changes nothing in it, sent again and again (section 5)', async () => {
  const crew = await scene()
  const { execution_id } = await minted(world, crew.planner, { step: 'plan' })
  for (const steps of [[{ ...PLAN, agent_id: 'free' }], [PLAN], [{ ...PLAN, agent_id: 'free' }]]) {
    assert.equal((await register(crew, steps)).status, 200)
    await stepRefused(world, crew.free, { step: 'plan', execution_id }, { reason: 'step_of_other_agent' })
  }
  await minted(world, crew.planner, { step: 'plan', execution_id })
})

test('[attack 77] a workflow with open executions is not deregistered, unless they are closed, and then they are (section 5)', async () => {
  const crew = await scene()
  const { planner, worker, client } = crew
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const refusal = await deregister(crew)
  assert.deepEqual([refusal.status, refusal.body.error], [409, 'invalid_request'])
  assert.deepEqual(await auditOf('workflow.deregister', client.client_id), [
    { outcome: 'refused', reason: 'open_executions' },
  ])
  await minted(world, worker, { step: 'test', execution_id })

  const closed = await deregister(crew, '&close=true')
  assert.deepEqual([closed.status, closed.body.closed], [200, 1])
  await stepRefused(world, worker, { step: 'patch', execution_id }, { reason: 'execution_closed' })
  await stepRefused(world, planner, { step: 'plan' }, { reason: 'unknown_workflow' })
  // Named anew, it is another version: what was closed stays closed.
  assert.equal((await register(crew, [PLAN, TEST, PATCH])).body.version, 2)
  await stepRefused(world, worker, { step: 'patch', execution_id }, { reason: 'execution_closed' })
})

test('[attack 77] an execution that has expired holds nothing back, and mints nothing (section 6)', async () => {
  const own = await givenWorld()
  const crew = await givenCrew(own)
  await givenWorkflow(own.ctx, crew.client, 'flow', [PLAN, TEST])
  const { execution_id } = await minted(own, crew.planner, { step: 'plan' })
  own.app.clock.advance(3_600)
  await stepRefused(own, crew.worker, { step: 'test', execution_id }, { reason: 'execution_expired' })
  const path = '/intent/deregister/workflow?workflow_id=flow'
  assert.equal((await callAs(own, crew.client, 'register:workflow', { path })).status, 200)
})

test('[attack 80] another client’s execution, a guessed id and none at all are answered alike (section 6)', async () => {
  const [victim, thief] = [await scene(), await scene()]
  const { execution_id } = await minted(world, victim.planner, { step: 'plan' })
  const unknown = { reason: 'unknown_execution' }
  const guessed = `exe_${ctx.randomId()}`
  const answers: unknown[] = []
  for (const id of [execution_id, guessed]) {
    await stepRefused(world, thief.worker, { step: 'test', execution_id: id }, unknown)
    await stepRefused(world, thief.planner, { step: 'plan', execution_id: id }, unknown)
    const answer = await send(
      world,
      stepAttempt(world, '/intent/token', thief.worker, { step: 'test', execution_id: id }),
    )
    const seen = await callAs(world, thief.client, 'generate:intent-token', {
      path: `/intent/executions/${id}`,
      method: 'GET',
    })
    answers.push([answer.status, answer.body, seen.status, { ...seen.body, request_id: '' }])
    assert.equal(seen.status, 404)
  }
  assert.deepEqual(answers[0], answers[1])
  assert.deepEqual(await stepRows(world, execution_id), [{ step_id: 'plan', state: 'entered', entries: 1, tokens: 1 }])
})

test('[attack 80] the ids of executions are 128 random bits, and nothing but one is an id (section 2)', async () => {
  const { planner } = await scene()
  const ids = new Set<string>()
  for (let n = 0; n < 8; n += 1) ids.add((await minted(world, planner, { step: 'plan' })).execution_id)
  assert.equal(ids.size, 8)
  for (const id of ids) assert.equal(Buffer.from(id.replace('exe_', ''), 'base64url').length, 16)
  const shape = { status: 400, error: 'invalid_request', reason: 'malformed_parameter', audited: false }
  const [first = ''] = ids
  for (const id of [
    '',
    'exe_1',
    first.slice(0, -1),
    `${first}A`,
    `${first} `,
    first.toUpperCase().replace('EXE', 'exe_'),
  ]) {
    const attempt = stepAttempt(world, '/intent/token', planner, { step: 'plan', execution_id: id })
    await refused(world, attempt, shape, agentGrant(world, '/oauth/token', world.solo))
  }
})

test('[attack 80] an agent completes no step of another by saying so (section 6)', async () => {
  const { planner, worker } = await scene()
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const lie = { reason: 'completed_step_not_recorded', missing_steps: ['test'] }
  await stepRefused(world, worker, { step: 'patch', execution_id, completed_steps: ['test'] }, lie)
  await stepRefused(world, planner, { step: 'plan', execution_id, completed_steps: ['plan', 'test'] }, lie)
  await stepRefused(
    world,
    worker,
    { step: 'patch', execution_id },
    { reason: 'missing_steps', missing_steps: ['test'] },
  )
  assert.deepEqual(await stepRows(world, execution_id), [{ step_id: 'plan', state: 'entered', entries: 1, tokens: 1 }])
})

test('[attack 132] another user’s token does not join an execution; the same user’s does (section 6, row 7)', async () => {
  const crew = await scene()
  const name = `corp-${crew.client.client_id}`
  await givenTrustedIssuer(app, foreignKey, { name, clients: [crew.client.client_id] })
  const asUser = async (sub: string) => ({
    subject_token: await foreignToken(app, foreignKey, { sub, jti: ctx.randomId() }),
    subject_token_type: JWT_TYPE,
  })
  const exchange = { grant_type: TOKEN_EXCHANGE_GRANT }
  const more = { ...(await asUser('anna')), ...exchange }
  const { execution_id, claims } = await minted(world, crew.planner, { step: 'plan', more }, '/oauth/token')
  assert.equal(claims.intent?.initiated_by, `user:${name}:anna`)

  const other = { code: 'delegation_unauthorized', reason: 'other_initiator' } as const
  for (const step of ['plan', 'test']) {
    const agent = step === 'plan' ? crew.planner : crew.worker
    await stepRefused(world, agent, { step, execution_id, more: await asUser('mallory') }, other)
  }
  const exchanged = stepAttempt(world, '/oauth/token', crew.worker, {
    ...{ step: 'test', execution_id },
    more: { ...(await asUser('mallory')), ...exchange },
  })
  const inGrant = { status: 400, error: 'invalid_grant', ajwt_error: 'delegation_unauthorized', audited: true }
  await refused(
    world,
    exchanged,
    { ...inGrant, reason: 'other_initiator' },
    agentGrant(world, '/oauth/token', world.solo),
  )
  const joined = await minted(world, crew.worker, { step: 'test', execution_id, more: await asUser('anna') })
  assert.deepEqual([joined.claims.sub, joined.execution_id], [`user:${name}:anna`, execution_id])
})

test('[attack 132] nobody’s execution is not taken over by a user, nor a user’s by an agent of no step (section 6)', async () => {
  const crew = await scene()
  const name = `corp-${crew.client.client_id}`
  await givenTrustedIssuer(app, foreignKey, { name, clients: [crew.client.client_id] })
  const more = { subject_token: await foreignToken(app, foreignKey, { sub: 'anna' }), subject_token_type: JWT_TYPE }
  const nobodys = await minted(world, crew.planner, { step: 'plan' })
  const other = { code: 'delegation_unauthorized', reason: 'other_initiator' } as const
  await stepRefused(world, crew.worker, { step: 'test', execution_id: nobodys.execution_id, more }, other)

  const { execution_id } = await minted(world, crew.planner, { step: 'plan', more })
  for (const agent of [crew.free, crew.planner]) {
    await stepRefused(world, agent, { step: 'test', execution_id }, { reason: 'step_of_other_agent' })
    await stepRefused(world, agent, { step: 'test', execution_id, more }, { reason: 'step_of_other_agent' })
  }
})
