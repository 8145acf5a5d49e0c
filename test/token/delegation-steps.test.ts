import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { proveDelegation } from '../../src/server/token/delegation.ts'
import { agentGrant, send } from '../attacks/attempt.ts'
import { givenClient, givenWorkflow, READ_API, thumbprint, WRITE_API } from '../attacks/given.ts'
import { refused } from '../attacks/refused.ts'
import { recordProven } from '../support/delegated.ts'
import { freshPass } from '../support/fresh-pass.ts'
import {
  ACCESS,
  because,
  delegate,
  givenCrew,
  givenCrewAgent,
  type Minted,
  mint,
  mintAttempt,
  refusedUnder,
} from './delegating.ts'

const { world, client: crew } = await givenCrew()
const { ctx } = world
const { clock } = world.app
const client = await givenClient(ctx, 'team', {
  access: [...ACCESS, { resource: ctx.config.issuer, scope: 'generate:intent-token' }],
})
const lead = await givenCrewAgent(world, client, 'lead')
const hand = await givenCrewAgent(world, client, 'hand')
const writer = await givenCrewAgent(world, client, 'writer')
const helper = await givenCrewAgent(world, client, 'helper')
const second = await givenCrewAgent(world, client, 'second')
await givenWorkflow(ctx, client, 'flow', [
  { step_id: 'plan', agent_id: 'lead', required: true, access: [{ resource: READ_API, scope: 'read write' }] },
  { step_id: 'patch', agent_id: 'hand', required: true, access: [{ resource: WRITE_API, scope: 'write' }] },
  { step_id: 'report', agent_id: 'writer', access: [{ resource: READ_API, scope: 'read' }] },
])
const PLAN = { params: { workflow_id: 'flow', workflow_step: 'plan' } }

function at(workflow_step: string, parent?: Minted) {
  const execution_id = parent?.claims.intent?.execution_id
  return { params: { workflow_id: 'flow', workflow_step, ...(execution_id !== undefined && { execution_id }) } }
}

/** What a step of another agent answers to an agent that nobody lent it. */
function notItsStep(reason: string) {
  return { status: 403, error: 'workflow_step_unauthorized', reason, audited: true } as const
}

test('within a step an agent mints by the word of the agent that entered it, and no more than that has (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  await refused(
    world,
    mintAttempt(world, helper, undefined, at('plan', root)),
    notItsStep('step_of_other_agent'),
    agentGrant(world, '/intent/token', world.solo),
  )
  const wide = await delegate(world, root, helper, { scope: 'read write' })
  await refusedUnder(world, helper, wide, because('delegation_scope'), at('plan', root))
  for (const workflow_step of ['plan', undefined]) {
    const { claims } = await mint(
      world,
      helper,
      await delegate(world, root, helper, { workflow_step }),
      at('plan', root),
    )
    assert.equal(claims.sub, 'agent:team:lead')
    assert.equal(claims.intent?.workflow_step, 'plan')
    assert.equal(claims.intent.execution_id, root.claims.intent?.execution_id)
    assert.equal(claims.intent.delegation_chain, sequenceHash(['lead', 'helper']))
  }
})

test('it needs no execution_id: the assertion says in which (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const { claims } = await mint(world, helper, await delegate(world, root, helper), PLAN)
  assert.equal(claims.intent?.execution_id, root.claims.intent?.execution_id)
})

test('it counts among the tokens of the step, and ends with it (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const assertion = await delegate(world, root, helper)
  for (let n = 2; n <= 16; n += 1) await mint(world, helper, assertion, at('plan', root))
  const full = { ...notItsStep('max_tokens'), ajwt_error: 'limit_exceeded' }
  await refusedUnder(world, helper, assertion, full, at('plan', root))
  await mint(world, hand, undefined, { ...at('patch', root), scope: 'write', resource: WRITE_API })
  await refusedUnder(world, helper, assertion, notItsStep('step_left'), at('plan', root))
})

test('to another step it hands over: the hop is added, the step keeps its own ceiling (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const to = { workflow_step: 'patch', scope: 'write', resource: [WRITE_API] }
  const asked = { ...at('patch', root), scope: 'write', resource: WRITE_API }
  const { claims } = await mint(world, hand, await delegate(world, root, hand, to), asked)
  assert.equal(claims.sub, 'agent:team:lead')
  assert.deepEqual(claims.act, { sub: 'agent:team:hand', sub_profile: 'ai_agent' })
  assert.equal(claims.intent?.delegation_chain, sequenceHash(['lead', 'hand']))
  // The parent has read on this API, and the assertion says so too: the step does not.
  const tooWide = await delegate(world, root, hand, { workflow_step: 'patch' })
  const tooMuch = { status: 400, error: 'invalid_target', reason: 'invalid_target', audited: true } as const
  await refusedUnder(world, hand, tooWide, tooMuch, at('patch', root))
})

test('[attack 56] a hand-over limits further: nothing outside of the assertion, though the step has it (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const narrow = await delegate(world, root, hand, { workflow_step: 'patch', scope: 'read', resource: [WRITE_API] })
  const tooMuch = { status: 400, error: 'invalid_scope', reason: 'invalid_scope', audited: true } as const
  await refusedUnder(world, hand, narrow, tooMuch, { ...at('patch', root), scope: 'write', resource: WRITE_API })
})

test('[attack 71] a hand-over grants nothing that the delegate could not mint itself (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const early = await delegate(world, root, writer, { workflow_step: 'report' })
  const missing = { ...notItsStep('missing_steps'), missing_steps: ['patch'] }
  await refusedUnder(world, writer, early, missing, at('report', root))
  const to = { workflow_step: 'patch', scope: 'write', resource: [WRITE_API] }
  const asked = { ...at('patch', root), scope: 'write', resource: WRITE_API }
  await refusedUnder(world, helper, await delegate(world, root, helper, to), notItsStep('step_of_other_agent'), asked)
})

test('steps that merely follow each other are no delegation (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const { claims } = await mint(world, hand, undefined, { ...at('patch', root), scope: 'write', resource: WRITE_API })
  assert.deepEqual([claims.sub, claims.act], ['agent:team:hand', undefined])
})

test('[attack 65] an assertion is for its step and its execution alone (section 6)', async () => {
  await givenWorkflow(ctx, client, 'twin', [{ step_id: 'plan', agent_id: 'lead' }])
  const root = await mint(world, lead, undefined, PLAN)
  const other = await mint(world, lead, undefined, PLAN)
  const assertion = await delegate(world, root, helper)
  await refusedUnder(world, helper, assertion, because('delegation_of_other_execution'), at('plan', other))
  await refusedUnder(world, helper, assertion, because('delegation_of_other_step'), at('patch', root))
  await refusedUnder(world, helper, assertion, because('delegation_of_other_step'))
  const twin = { params: { workflow_id: 'twin', workflow_step: 'plan' } }
  await refusedUnder(world, helper, assertion, because('delegation_of_other_workflow'), twin)
  const { execution_id } = other.claims.intent ?? {}
  const grafted = await delegate(world, root, helper, { execution_id })
  await refusedUnder(world, helper, grafted, because('delegation_execution'), at('plan', other))
  const nameless = await delegate(world, root, helper, { execution_id: undefined })
  await refusedUnder(world, helper, nameless, because('delegation_execution'), at('plan', root))
})

test('[attack 59] the first hop ends with its execution (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  clock.advance(200)
  const iat = clock.seconds()
  const tooLong = await delegate(world, root, helper, { exp: iat + 3_401 })
  await refusedUnder(world, helper, tooLong, because('delegation_too_long'), at('plan', root))
  await mint(world, helper, await delegate(world, root, helper, { exp: iat + 3_400 }), at('plan', root))
})

test('without an execution nothing is handed over to another step (section 6)', async () => {
  const [a, b] = [await givenCrewAgent(world, crew, 'x1'), await givenCrewAgent(world, crew, 'x2')]
  const root = await mint(world, a)
  await refusedUnder(world, b, await delegate(world, root, b, { workflow_step: 'plan' }), because('delegation_step'))
})

test('asserted mode: within the parent token’s own step and workflow only (section 6)', async () => {
  const asserted = await givenClient(ctx, 'asserted', {
    access: [...ACCESS, { resource: ctx.config.issuer, scope: 'generate:intent-token' }],
    policies: { workflow_state: 'asserted' },
  })
  const [first, next] = [await givenCrewAgent(world, asserted, 'first'), await givenCrewAgent(world, asserted, 'next')]
  const steps = [
    { step_id: 'one', agent_id: 'first' },
    { step_id: 'two', agent_id: 'next' },
  ]
  await givenWorkflow(ctx, asserted, 'said', steps)
  await givenWorkflow(ctx, asserted, 'other', steps)
  const one = { params: { workflow_id: 'said', workflow_step: 'one' } }
  const root = await mint(world, first, undefined, one)
  const { claims } = await mint(world, next, await delegate(world, root, next), one)
  assert.deepEqual([claims.sub, claims.intent?.state], ['agent:asserted:first', 'asserted'])
  const two = { params: { workflow_id: 'said', workflow_step: 'two' } }
  const handed = await delegate(world, root, next, { workflow_step: 'two' })
  await refusedUnder(world, next, handed, because('delegation_step'), two)
  const elsewhere = { params: { workflow_id: 'other', workflow_step: 'one' } }
  await refusedUnder(world, next, await delegate(world, root, next), because('delegation_of_other_workflow'), elsewhere)
})

test('[attack 68] asserted mode: beside an assertion a sent chain is not believed, it must be that of the record (section 6)', async () => {
  const asserted = await givenClient(ctx, 'lying', {
    access: [...ACCESS, { resource: ctx.config.issuer, scope: 'generate:intent-token' }],
    policies: { workflow_state: 'asserted' },
  })
  const [first, next] = [await givenCrewAgent(world, asserted, 'first'), await givenCrewAgent(world, asserted, 'next')]
  await givenCrewAgent(world, asserted, 'bystander')
  const root = await mint(world, first)
  const assertion = await delegate(world, root, next)
  const said = (...chain: string[]) => ({ params: { delegation_context: { chain } } })
  for (const chain of [['bystander', 'next'], ['next'], ['first', 'bystander', 'next']]) {
    await refusedUnder(world, next, assertion, because('chain_not_recorded'), said(...chain))
  }
  for (const chain of [['first'], ['first', 'next']]) {
    const { claims } = await mint(world, next, assertion, said(...chain))
    assert.equal(claims.intent?.delegation_chain, sequenceHash(['first', 'next']))
  }
  // Without an assertion it is the caller's word, and the token says so.
  const { claims } = await mint(world, next, undefined, said('bystander', 'next'))
  const { state, delegation_chain } = claims.intent ?? {}
  assert.deepEqual([state, delegation_chain], ['asserted', sequenceHash(['bystander', 'next'])])
})

test('[attack 66] an execution that is revoked between the checks and the write ends its delegations (section 9)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  const asked = { client_id: 'team', agent_id: 'helper', jkt: await thumbprint(helper.key) }
  const proven = await proveDelegation(freshPass(ctx), await delegate(world, root, helper), asked)
  const { execution_id = '' } = root.claims.intent ?? {}
  await ctx.db.updateTable('execution').set({ status: 'revoked' }).where('execution_id', '=', execution_id).execute()
  const rules = { limits: LIMITS_DEFAULT, proofs: false, now: ctx.now() }
  const refusal = await recordProven(ctx, proven, rules)
  assert.equal(refusal?.reason, 'delegation_above_revoked')
})

test('its ceilings are its own, those of the parent token in the same step, and of each hop of that step (section 6)', async () => {
  const root = await mint(world, lead, undefined, { ...PLAN, scope: 'read write' })
  const inStep = await mint(world, helper, await delegate(world, root, helper), at('plan', root))
  const jkt = await thumbprint(second.key)
  const asked = { client_id: 'team', agent_id: 'second', jkt }
  const own = (scope: string, resource = READ_API) => [{ resource, scope }]
  const within = await proveDelegation(freshPass(ctx), await delegate(world, inStep, second), asked)
  assert.deepEqual(within.ceilings, [own('read'), own('read'), own('read write')])
  assert.deepEqual([within.within_step, within.workflow_step], [true, 'plan'])
  const to = { workflow_step: 'patch', scope: 'write', resource: [WRITE_API] }
  const over = await proveDelegation(freshPass(ctx), await delegate(world, inStep, second, to), asked)
  assert.deepEqual(over.ceilings, [own('write', WRITE_API)])
  assert.deepEqual([over.within_step, over.workflow_step], [false, 'patch'])
  // Back in a step of the chain: the hop that was for it limits again.
  const asHand = { ...at('patch', root), scope: 'write', resource: WRITE_API }
  const handed = await mint(world, hand, await delegate(world, inStep, hand, to), asHand)
  const back = await proveDelegation(
    freshPass(ctx),
    await delegate(world, handed, second, { workflow_step: 'plan' }),
    asked,
  )
  assert.deepEqual(back.ceilings, [own('write', WRITE_API), own('read write')])
})

test('an approval waits for a delegated mint too, and the assertion is recorded meanwhile (section 6)', async () => {
  await givenWorkflow(ctx, client, 'gated', [
    { step_id: 'plan', agent_id: 'lead', required: true },
    { step_id: 'gate', approval_gate: true, required: true },
    { step_id: 'patch', agent_id: 'hand', requires_approval: true },
  ])
  const root = await mint(world, lead, undefined, { params: { workflow_id: 'gated', workflow_step: 'plan' } })
  const { execution_id } = root.claims.intent ?? {}
  const asked = { params: { workflow_id: 'gated', workflow_step: 'patch', execution_id } }
  const assertion = await delegate(world, root, hand, { workflow_step: 'patch', exp: clock.seconds() + 3_000 })
  const answer = await send(world, mintAttempt(world, hand, assertion, asked))
  assert.deepEqual([answer.status, answer.body.ajwt_error], [403, 'approval_pending'])
  clock.advance(1_000)
  const approval_id = String(answer.body.approval_id)
  await ctx.db.updateTable('approval').set({ status: 'granted' }).where('approval_id', '=', approval_id).execute()
  const { claims } = await mint(world, hand, assertion, asked)
  assert.deepEqual([claims.intent?.approval, claims.intent?.workflow_step], [{ id: approval_id }, 'patch'])
})

test('a mint that its write refuses, because the step was left since it was read, leaves no delegation behind (section 6)', async () => {
  const root = await mint(world, lead, undefined, PLAN)
  await mint(world, helper, await delegate(world, root, helper), at('plan', root))
  // The record of the step that this node keeps is from before.
  await mint(world, hand, undefined, { ...at('patch', root), scope: 'write', resource: WRITE_API })
  const count = async () => {
    const rows = await ctx.db
      .selectFrom('delegation')
      .select('delegation_id')
      .where('parent_jti', '=', root.claims.jti)
      .execute()
    return rows.length
  }
  assert.equal(await count(), 1)
  const late = await delegate(world, root, second)
  assert.equal((await send(world, mintAttempt(world, second, late, at('plan', root)))).status, 403)
  assert.equal(await count(), 1)
})
