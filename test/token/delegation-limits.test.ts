import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { agentGrant, proofOf } from '../attacks/attempt.ts'
import { WRITE_API } from '../attacks/given.ts'
import { refused } from '../attacks/refused.ts'
import { because, delegate, givenCrew, mint, mintAttempt, mintChain, refusedUnder } from './delegating.ts'

const { world, agents } = await givenCrew()
const [a, b, c] = agents
assert.ok(a && b && c)
const { ctx } = world

test('[attack 55] [attack 64] an agent occurs once in a chain (section 6)', async () => {
  const [root, middle] = await mintChain(world, [a, b])
  assert.ok(root && middle)
  await refusedUnder(world, a, await delegate(world, middle, a), because('delegation_loop'))
  await refusedUnder(world, b, await delegate(world, middle, b), because('delegation_loop'))
  await refusedUnder(world, a, await delegate(world, root, a), because('delegation_loop'))
  const oauth = agentGrant(world, '/oauth/token', a)
  oauth.params.delegation_assertion = await delegate(world, middle, a)
  const asGrant = {
    ...because('delegation_loop'),
    status: 400,
    error: 'invalid_grant',
    ajwt_error: 'delegation_unauthorized',
  }
  await refused(world, oauth, asGrant, agentGrant(world, '/oauth/token', world.solo))
})

test('[attack 54] a chain has at most 5 hops (section 6)', async () => {
  const minted = await mintChain(world, agents.slice(0, 6))
  const [last, seventh] = [minted.at(-1), agents[6]]
  assert.ok(last && seventh)
  assert.equal(last.claims.intent?.delegation_chain, sequenceHash(['a', 'b', 'c', 'd', 'e', 'f']))
  await refusedUnder(world, seventh, await delegate(world, last, seventh), because('delegation_too_deep'))
})

test('[attack 56] [attack 58] it grants less than the parent has, never more (section 6)', async () => {
  const root = await mint(world, a)
  const beyond = because('delegation_scope')
  await refusedUnder(world, b, await delegate(world, root, b, { scope: 'read write' }), beyond)
  await refusedUnder(world, b, await delegate(world, root, b, { resource: [WRITE_API] }), beyond)
  const wide = await mint(world, a, undefined, { scope: 'read write' })
  const narrow = await delegate(world, wide, b, { scope: 'read' })
  const tooMuch = { status: 400, error: 'invalid_scope', reason: 'invalid_scope', audited: true } as const
  await refusedUnder(world, b, narrow, tooMuch, { scope: 'read write' })
  const noTarget = { status: 400, error: 'invalid_target', reason: 'invalid_target', audited: true } as const
  await refusedUnder(world, b, narrow, noTarget, { resource: WRITE_API })
  await mint(world, b, narrow)
})

test('[attack 56] a token that took less than it was given delegates no more than it took (section 6)', async () => {
  const root = await mint(world, a, undefined, { scope: 'read write' })
  const middle = await mint(world, b, await delegate(world, root, b), { scope: 'read' })
  await refusedUnder(world, c, await delegate(world, middle, c, { scope: 'read write' }), because('delegation_scope'))
})

test('[attack 60] [attack 46] a mint without a proof has no delegation, whatever the policy (section 6)', async () => {
  const lenient = await givenCrew({}, { agent_proof: 'optional', allow_bearer: true })
  const [first, second] = lenient.agents
  assert.ok(first && second)
  const root = await mint(lenient.world, first)
  const delegation_assertion = await delegate(lenient.world, root, second)
  const attempt = mintAttempt(lenient.world, second, delegation_assertion)
  const good = () => agentGrant(lenient.world, '/intent/token', lenient.world.solo)
  await refused(lenient.world, { ...attempt, proof: undefined }, because('delegation_without_proof'), good())
  const oauth = agentGrant(lenient.world, '/oauth/token', second)
  const params = { ...oauth.params, delegation_assertion }
  const asGrant = { status: 400, error: 'invalid_grant', ajwt_error: 'delegation_unauthorized' }
  const inItsWords = { ...because('delegation_without_proof'), ...asGrant }
  await refused(lenient.world, { ...oauth, params, proof: undefined }, inItsWords, good())
})

test('[attack 60] a token without a key delegates nothing (section 6)', async () => {
  const root = await mint(world, a)
  await ctx.db.updateTable('token').set({ jkt: null }).where('jti', '=', root.claims.jti).execute()
  await refusedUnder(world, b, await delegate(world, root, b), because('delegation_signer'))
})

test('[attack 68] a sent chain must be that of the record (section 6)', async () => {
  const root = await mint(world, a)
  const assertion = await delegate(world, root, b)
  const said = (...chain: string[]) => ({ params: { delegation_context: { chain } } })
  for (const chain of [['c', 'b'], ['b'], ['a', 'c', 'b']]) {
    await refusedUnder(world, b, assertion, because('chain_not_recorded'), said(...chain))
  }
  await mint(world, b, assertion, said('a', 'b'))
  await mint(world, b, assertion, said('a'))
})

test('what was signed before a restore, or under a token from before it, delegates nothing (section 3)', async () => {
  const restored = await givenCrew({ notBefore: 0 })
  const [first, second, third] = restored.agents
  assert.ok(first && second && third)
  const { clock: restoredClock, ctx: restoredCtx } = restored.world.app
  const root = await mint(restored.world, first)
  const old = await delegate(restored.world, root, second, { iat: restoredClock.seconds() - 1 })
  await refusedUnder(restored.world, second, old, because('iat_before_epoch'))
  const middle = await mint(restored.world, second, await delegate(restored.world, root, second))
  const leaf = await delegate(restored.world, middle, third)
  await mint(restored.world, third, leaf)
  const before = new Date(restoredClock.now().getTime() - 1_000)
  const { jti } = root.claims
  await restoredCtx.db.updateTable('token').set({ issued_at: before }).where('jti', '=', jti).execute()
  // A token's row never changes while a server runs, so that it is kept.
  restoredCtx.records.forget()
  await refusedUnder(restored.world, third, leaf, because('token_before_epoch'))
})

test('[attack 52] the proof is of the one who asks: an assertion moves no right to another key (section 3)', async () => {
  const root = await mint(world, a)
  const attempt = mintAttempt(world, b, await delegate(world, root, b))
  const byParent = { ...attempt, proof: proofOf(world, a.key, '/intent/token') }
  const wrongKey = {
    status: 400,
    error: 'invalid_dpop_proof',
    ajwt_error: 'agent_key_mismatch',
    reason: 'agent_key_mismatch',
    audited: true,
  }
  await refused(world, byParent, wrongKey, agentGrant(world, '/intent/token', world.solo))
})
