import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { generateKey } from '../support/dpop.ts'
import { foreignToken, givenTrustedIssuer, JWT_TYPE } from '../token/foreign.ts'
import { type Attempt, agentGrant, clientCredentials, send } from './attempt.ts'
import { givenWorkflow, givenWorld, READ_API } from './given.ts'
import { type Asked, comparable, ENDPOINTS, givenCrew, minted, stepAttempt, stepRefused } from './recorded.ts'
import { type Expected, refused } from './refused.ts'

const world = await givenWorld()
const { ctx, app } = world
const good = () => agentGrant(world, '/oauth/token', world.solo)
const crew = await givenCrew(world)
const { client, planner, worker, free } = crew
await givenWorkflow(ctx, client, 'flow', [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'gate', approval_gate: true },
  { step_id: 'pay', agent_id: 'worker', requires_approval: true },
])
/** By the client itself, and without a gate. */
await givenWorkflow(ctx, client, 'gate-free', [{ step_id: 'only', agent_id: 'planner' }])
const foreignKey = await generateKey()
await givenTrustedIssuer(app, foreignKey, { name: 'corp', clients: [client.client_id] })

const FORGED = {
  ...{ sub: 'admin', sub_profile: 'user', act: { sub: 'agent:x:y' }, may_act: { sub: 'agent:x:y' } },
  ...{ intent: { state: 'recorded', execution_id: 'exe_x', initiated_by: 'user:corp:1' }, initiated_by: 'user:corp:1' },
  ...{ agent_proof: { key: 'registered' }, delegation_proofs: ['a.b.c'], parent_jti: 'x', state: 'recorded' },
  ...{ cnf: { jkt: 'x' }, exp: 1, iat: 1, jti: 'x', iss: 'x', aud: 'y' },
}
const HINTS = { requested_subject: 'user:corp:1', login_hint: 'anna', requested_actor: 'x', user: 'anna' }

test('[attack 53] [attack 61] what a request says of subject, actors or intent enters no recorded token (section 6)', async () => {
  const subject_token = await foreignToken(app, foreignKey, { sub: '42' })
  const user = { subject_token, subject_token_type: JWT_TYPE }
  for (const [more, sub] of [
    [{}, `agent:${client.client_id}:planner`],
    [user, 'user:corp:42'],
  ] as const) {
    const first = await minted(world, planner, { step: 'plan', more })
    const { execution_id, claims } = first
    assert.deepEqual([claims.sub, claims.intent?.initiated_by], [sub, sub])
    for (const path of ENDPOINTS) {
      const forged = { step: 'plan', execution_id, more: { ...more, ...FORGED, ...HINTS } }
      const again = await minted(world, planner, forged, path)
      assert.deepEqual(comparable(again.claims), comparable(claims))
      assert.notEqual(again.claims.jti, 'x')
    }
  }
})

test('[attack 61] a user’s name is no user: without a token of the issuer the agent stays the subject (section 7)', async () => {
  for (const hints of [{ subject: 'user:corp:42' }, { id_token_hint: await foreignToken(app, foreignKey) }]) {
    const { claims } = await minted(world, planner, { step: 'plan', more: hints })
    assert.equal(claims.sub, `agent:${client.client_id}:planner`)
  }
})

/** What is no scope, or no list of scopes; in the form of one endpoint and of the other. */
const MALFORMED: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['a non-breaking space', 'read\u00a0deploy', ['read\u00a0deploy']],
  ['a tab', 'read\tdeploy', ['read\tdeploy']],
  ['a line feed', 'read\n', ['read\n']],
  ['two spaces', 'read  deploy', ['read', '', 'deploy']],
  ['a space inside', ' read', ['read deploy', 'pay pay']],
  ['a scope twice', 'read read', ['read', 'read']],
  ['no scope', '', []],
  ['5,000 scopes', many(5_000).join(' '), many(5_000)],
]

test('[attack 57] scope texts that are none are refused for a recorded step, too (RFC 6749 section 3.3)', async () => {
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const step = { step: 'plan', execution_id }
  for (const [name, scope, requested_scopes] of MALFORMED) {
    const oauth = stepAttempt(world, '/oauth/token', planner, { ...step, scope })
    await refused(world, oauth, malformedScope, good()).catch(naming(name))
    const intent = stepAttempt(world, '/intent/token', planner, { ...step, more: { requested_scopes } })
    const answer = await send(world, intent)
    const { error } = answer.body
    assert.deepEqual([answer.status, error === 'invalid_scope' || error === 'invalid_request'], [400, true], name)
  }
})

test('[attack 57] another case, a wildcard and a scope nobody has are refused, not narrowed (section 6, row 10)', async () => {
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  for (const scope of ['READ', 'rea*', '*', 'read admin', 'read write', 'read deploy x']) {
    for (const path of ENDPOINTS) {
      const attempt = stepAttempt(world, path, planner, { step: 'plan', execution_id, scope })
      await refused(world, attempt, tooMuch, good())
    }
  }
})

test('[attack 75] a scope marked workflow needs a recorded step, whatever workflow_enabled says (section 6)', async () => {
  const required = marked('workflow_required')
  for (const workflow_enabled of [false, undefined]) {
    for (const path of ENDPOINTS) {
      const attempt = stepAttempt(world, path, free, { scope: 'deploy', more: { workflow_enabled } })
      await refused(world, attempt, required, good())
    }
    const assigned = { reason: 'workflow_required', ajwt_error: 'workflow_required' }
    await stepRefused(world, planner, { scope: 'deploy', more: { workflow_enabled } }, assigned)
  }
  const { claims } = await minted(world, planner, { step: 'plan', scope: 'deploy', more: { workflow_enabled: true } })
  assert.deepEqual([claims.scope, claims.intent?.state], ['deploy', 'recorded'])
})

test('[attack 75] workflow_enabled is a boolean, and agrees with the rest (section 6)', async () => {
  const shape = { status: 400, error: 'invalid_request', audited: false } as const
  for (const workflow_enabled of ['false', 'true', 0, 1, null, [], {}]) {
    const attempt = stepAttempt(world, '/intent/token', planner, { step: 'plan', more: { workflow_enabled } })
    await refused(world, attempt, { ...shape, reason: 'malformed_parameter' }, good())
  }
  const half: readonly Asked[] = [
    { step: 'plan', more: { workflow_enabled: false } },
    { more: { workflow_enabled: true } },
    { more: { execution_id: `exe_${'A'.repeat(22)}` } },
  ]
  for (const asked of half) {
    for (const path of ENDPOINTS) {
      const expected = { ...shape, reason: 'half_workflow_request' }
      await refused(world, stepAttempt(world, path, planner, asked), expected, good())
    }
  }
})

test('[attack 121] a marked scope is not had without a workflow, nor without its gate, by whoever registers one (section 6)', async () => {
  for (const path of ENDPOINTS) {
    for (const [scope, mark] of [
      ['deploy', 'workflow_required'],
      ['pay', 'approval_required'],
      ['read pay', 'approval_required'],
    ] as const) {
      await refused(world, stepAttempt(world, path, free, { scope }), marked(mark), good())
    }
    const gateFree = { workflow_id: 'gate-free', step: 'only', scope: 'pay' }
    await refused(world, stepAttempt(world, path, planner, gateFree), marked('approval_required'), good())
    await refused(
      world,
      stepAttempt(world, path, planner, { step: 'plan', scope: 'pay' }),
      marked('approval_required'),
      good(),
    )
  }
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const waits = { reason: 'approval_pending', ajwt_error: 'approval_pending', approval: true }
  await stepRefused(world, worker, { step: 'pay', execution_id, scope: 'pay' }, waits)
})

test('[attack 121] token exchange gives no marked scope that the agent grant would not give (section 6)', async () => {
  const subject_token = await foreignToken(app, foreignKey, { sub: '121' })
  const more = { grant_type: TOKEN_EXCHANGE_GRANT, subject_token, subject_token_type: JWT_TYPE }
  const withUser = (agent: typeof planner, asked: Asked) =>
    stepAttempt(world, '/oauth/token', agent, { ...asked, more: { ...asked.more, ...more } })
  const gateFree = { workflow_id: 'gate-free', step: 'only', scope: 'pay' }
  await refused(world, withUser(planner, gateFree), marked('approval_required'), good())
  const outside: Expected = {
    ...{ status: 400, error: 'invalid_request', reason: 'subject_token_without_workflow', audited: true },
  }
  await refused(world, withUser(free, { scope: 'deploy' }), outside, good())

  // Without an agent it is for our own APIs, and for operators and workloads only.
  const alone: Attempt = clientCredentials(world, client)
  alone.params = { ...more, scope: 'deploy', resource: READ_API }
  const notHere: Expected = { status: 400, error: 'invalid_request', reason: 'subject_token_issuer', audited: true }
  await refused(world, alone, notHere, good())

  const own = await minted(world, planner, { workflow_id: 'gate-free', step: 'only', scope: 'deploy' })
  const ours = withUser(free, { scope: 'deploy' })
  ours.params.subject_token = own.token
  ours.params.subject_token_type = 'urn:ietf:params:oauth:token-type:access_token'
  await refused(world, ours, { ...outside, reason: 'subject_token_without_delegation' }, good())
})

test('[attack 121] client_credentials gives no marked scope, recorded or not (section 6)', async () => {
  for (const [scope, mark] of [
    ['deploy', 'workflow_required'],
    ['pay', 'approval_required'],
  ] as const) {
    const attempt = clientCredentials(world, client)
    attempt.params = { ...attempt.params, scope }
    await refused(world, attempt, marked(mark), good())
  }
})

const malformedScope: Expected = { status: 400, error: 'invalid_scope', reason: 'malformed_scope', audited: false }
const tooMuch: Expected = { status: 400, error: 'invalid_scope', reason: 'invalid_scope', audited: true }

function marked(ajwt_error: 'workflow_required' | 'approval_required'): Expected {
  return { status: 400, error: 'invalid_scope', ajwt_error, reason: ajwt_error, audited: true }
}

function many(n: number): string[] {
  return Array.from({ length: n }, (_, at) => `s${at}`)
}

function naming(name: string): (error: Error) => never {
  return error => {
    throw new Error(`${name}: ${error.message}`, { cause: error })
  }
}
