import assert from 'node:assert/strict'
import { test } from 'node:test'
import { remoteAgentKeys } from '../../src/verifier/agent-keys.ts'
import { verifyDelegationProofs } from '../../src/verifier/delegation-proofs.ts'
import { type GivenAgent, givenAgent, givenClient, givenResource, thumbprint } from '../attacks/given.ts'
import { testKey } from '../protocol/forge.ts'
import { delegate, givenCrew, mint, mintChain, PROOFS_API, refusedUnder } from './delegating.ts'
import { byAgent, statementFor } from './statement.ts'

const { world, agents } = await givenCrew()
const [a, b, c] = agents
assert.ok(a && b && c)
const { ctx } = world
const { clock, issuer } = world.app
const proofs = { resource: PROOFS_API }

function offline() {
  const { now } = world.app.ctx
  return { issuer, now, rootKeys: remoteAgentKeys(issuer, { now }) }
}

test('an API with proofs walks the chain by itself, from the published keys of its root (section 6, Offline)', async () => {
  const minted = await mintChain(world, agents.slice(0, 4), { ...proofs, scope: 'read write' })
  const names = ['agent:crew:a', 'agent:crew:b', 'agent:crew:c', 'agent:crew:d']
  for (const [hops, { claims }] of minted.entries()) {
    const chain = names.slice(0, hops + 1)
    assert.deepEqual(await verifyDelegationProofs(claims, offline()), { ok: true, chain, anchored: true })
    assert.equal(claims.delegation_proofs?.length, hops === 0 ? undefined : hops)
  }
})

test('a chain of more hops than a token shows is refused for such an API, and not for others (section 7)', async () => {
  const minted = await mintChain(world, agents.slice(0, 4), proofs)
  const [last, fifth] = [minted.at(-1), agents[4]]
  assert.ok(last && fifth)
  const tooLarge = {
    status: 400,
    error: 'invalid_target',
    ajwt_error: 'token_too_large',
    reason: 'too_many_proofs',
    audited: true,
  }
  await refusedUnder(world, fifth, await delegate(world, last, fifth), tooLarge, proofs)
})

test('proofs are by registered keys only: not endorsed ones, nor those that were removed (section 6)', async () => {
  const byEndorsed = { status: 400, error: 'invalid_target', reason: 'proof_by_endorsed_key', audited: true } as const
  const holder = testKey('ES256')
  const params = { key_statement: await statementFor(world, a, holder, byAgent(a)) }
  const root = await mint(world, a, undefined, { ...proofs, key: holder, params })
  await refusedUnder(world, b, await delegate(world, root, b), byEndorsed, proofs)
  const [, middle] = await mintChain(world, [a, b], proofs)
  assert.ok(middle)
  const assertion = await delegate(world, middle, c)
  await mint(world, c, assertion, proofs)
  const jkt = await thumbprint(b.key)
  await ctx.db.updateTable('agent_key').set({ removed_at: ctx.now() }).where('jkt', '=', jkt).execute()
  await refusedUnder(world, c, assertion, byEndorsed, proofs)
  await ctx.db.updateTable('agent_key').set({ removed_at: null }).where('jkt', '=', jkt).execute()
})

test('nor is one delegated to an endorsed key, at any hop; another API is given the token (section 6, Offline)', async () => {
  const forEndorsed = { status: 400, error: 'invalid_target', reason: 'proof_for_endorsed_key', audited: true } as const
  const [root, middle] = await mintChain(world, [a, b], proofs)
  assert.ok(root && middle)
  for (const [parent, leaf] of [
    [root, b],
    [middle, c],
  ] as const) {
    const key = testKey('ES256')
    const assertion = await delegate(world, parent, leaf, { jkt: await thumbprint(key) })
    const params = { key_statement: await statementFor(world, leaf, key, byAgent(leaf)) }
    await refusedUnder(world, leaf, assertion, forEndorsed, { ...proofs, key, params })
    await mint(world, leaf, await delegate(world, parent, leaf), proofs)
  }
  const elsewhere = await mint(world, a)
  const key = testKey('ES256')
  const params = { key_statement: await statementFor(world, b, key, byAgent(b)) }
  const toEndorsed = await delegate(world, elsewhere, b, { jkt: await thumbprint(key) })
  const { claims } = await mint(world, b, toEndorsed, { key, params })
  assert.equal(claims.agent_proof?.key, 'endorsed')
})

test('a token with proofs has at most 8 KB: the longest names in 3 hops fit with a signature of 64 bytes, not with one of RSA (section 7)', async () => {
  const longest = await Promise.all(
    (['ES256', 'PS256'] as const).map(async alg => {
      const resource = `https://${alg.toLowerCase()}.proofs.example.com`
      const scopes = [{ name: 'read' }]
      await givenResource(ctx, { resource, scopes, chain_disclosure: 'proofs', signing_alg: alg })
      return { resource, scope: 'read' }
    }),
  )
  const issuing = { resource: ctx.config.issuer, scope: 'generate:intent-token' }
  const client = await givenClient(ctx, 'c'.repeat(64), { access: [...longest, issuing] })
  const four: GivenAgent[] = []
  for (const letter of ['w', 'x', 'y', 'z']) {
    four.push(await givenAgent(ctx, client, letter.repeat(128), { grant: { access: longest } }))
  }
  const [fits, tooLong] = longest
  const last = four[3]
  assert.ok(fits && tooLong && last)
  const minted = await mintChain(world, four, fits)
  const { length } = minted.at(-1)?.token ?? ''
  assert.ok(length > 8_192 - 256 && length <= 8_192, `${length} bytes`)

  const parent = (await mintChain(world, four.slice(0, 3), tooLong)).at(-1)
  assert.ok(parent && parent.token.length > 4_096, 'two hops fit under either')
  const tooLarge = { status: 400, error: 'invalid_target', reason: 'token_too_large', audited: true } as const
  const refusal = { ...tooLarge, ajwt_error: 'token_too_large' }
  await refusedUnder(world, last, await delegate(world, parent, last), refusal, tooLong)
})

test('a chain whose root key was removed since is not anchored any more (section 6, Offline)', async () => {
  const [, middle] = await mintChain(world, [a, b], proofs)
  assert.ok(middle)
  const jkt = await thumbprint(a.key)
  await ctx.db.updateTable('agent_key').set({ removed_at: ctx.now() }).where('jkt', '=', jkt).execute()
  assert.equal((await verifyDelegationProofs(middle.claims, offline())).anchored, false)
  await ctx.db.updateTable('agent_key').set({ removed_at: null }).where('jkt', '=', jkt).execute()
})

test('[attack 59] the token is stale for the API when its delegation is (section 6, Offline)', async () => {
  const root = await mint(world, a, undefined, proofs)
  const { claims } = await mint(world, b, await delegate(world, root, b, { exp: clock.seconds() + 30 }), proofs)
  assert.equal(claims.exp, clock.seconds() + 30)
  assert.equal((await verifyDelegationProofs(claims, offline())).ok, true)
  clock.advance(30)
  await assert.rejects(verifyDelegationProofs(claims, offline()), { code: 'invalid_token', reason: 'proofs_stale' })
})
