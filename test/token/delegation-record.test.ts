import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { purgeDelegations } from '../../src/server/store/delegations.ts'
import { proveDelegation } from '../../src/server/token/delegation.ts'
import { send } from '../attacks/attempt.ts'
import { thumbprint } from '../attacks/given.ts'
import { startNode } from '../attacks/node.ts'
import { forge, refusal as isRefusal } from '../protocol/forge.ts'
import { givenDelegationFrom, givenSiblings, givenTokenUnder, recordProven } from '../support/delegated.ts'
import { freshPass } from '../support/fresh-pass.ts'
import {
  assertionClaims,
  because,
  delegate,
  givenCrew,
  type Minted,
  mint,
  mintAttempt,
  mintChain,
  refusedUnder,
} from './delegating.ts'

const LIMITS = { ...LIMITS_DEFAULT, max_children: 3 }
const { world, agents } = await givenCrew({}, { limits: LIMITS })
const [a, b, c] = agents
assert.ok(a && b && c)
const { ctx } = world
const { clock } = world.app
const own = Number(new URL(world.app.issuer).port)
const { port: other } = await startNode(world)

async function childrenOf({ claims }: Minted): Promise<number> {
  const rows = await ctx.db.selectFrom('delegation').select('jti').where('parent_jti', '=', claims.jti).execute()
  return rows.length
}

/** Presents each at once, in turn at both nodes. @returns the statuses, sorted */
async function sendAll(assertions: readonly string[]): Promise<readonly number[]> {
  const present = async (assertion: string, n: number) => {
    assert.ok(b)
    return (await send(world, mintAttempt(world, b, assertion), n % 2 === 0 ? own : other)).status
  }
  return (await Promise.all(assertions.map(present))).sort()
}

function signedByA(claims: object): string {
  assert.ok(a)
  return forge({ alg: 'ES256', typ: 'delegation+jwt', jwk: a.key.jwk }, claims, a.key)
}

test('[attack 69] one token is delegated from at most max_children times; what was recorded goes on (section 6)', async () => {
  const root = await mint(world, a)
  const assertions = [await delegate(world, root, b), await delegate(world, root, c), await delegate(world, root, b)]
  await mint(world, b, assertions[0])
  await mint(world, c, assertions[1])
  await mint(world, b, assertions[2])
  const full = because('max_children', 'limit_exceeded')
  await refusedUnder(world, b, await delegate(world, root, b), full)
  await refusedUnder(world, c, await delegate(world, root, c), full)
  assert.equal(await childrenOf(root), 3)
  await mint(world, b, assertions[0])
  const another = await mint(world, a)
  await mint(world, b, await delegate(world, another, b))
})

test('none at all where max_children is 0 (section 6)', async () => {
  const root = await mint(world, a)
  const asked = { client_id: 'crew', agent_id: 'b', jkt: await thumbprint(b.key) }
  const proven = await proveDelegation(freshPass(ctx), await delegate(world, root, b), asked)
  const none = { limits: { ...LIMITS, max_children: 0 }, proofs: false, now: ctx.now() }
  const refusal = await recordProven(ctx, proven, none)
  assert.deepEqual([refusal?.code, refusal?.details.ajwt_error], ['delegation_unauthorized', 'limit_exceeded'])
  assert.equal(await childrenOf(root), 0)
})

test('[attack 69] two nodes never both give the last place: 20 rounds of 8 at once (section 6)', async () => {
  for (let round = 0; round < 20; round += 1) {
    const root = await mint(world, a)
    const statuses = await sendAll(await Promise.all(Array.from({ length: 8 }, () => delegate(world, root, b))))
    assert.deepEqual(statuses, [200, 200, 200, 403, 403, 403, 403, 403])
    assert.equal(await childrenOf(root), 3)
  }
})

test('the same assertion at two nodes at once is one delegation, and both are served (section 6)', async () => {
  for (let round = 0; round < 20; round += 1) {
    const root = await mint(world, a)
    const assertion = await delegate(world, root, b)
    const ports = [own, other, own, other]
    await Promise.all(ports.map(port => mint(world, b, assertion, { port })))
    assert.equal(await childrenOf(root), 1)
  }
})

test('the same at the last free place: who comes second needs no place of its own (section 6)', async () => {
  const root = await mint(world, a)
  for (let n = 0; n < 2; n += 1) await mint(world, b, await delegate(world, root, b))
  const assertion = await delegate(world, root, b)
  await Promise.all([own, other, own, other].map(port => mint(world, b, assertion, { port })))
  assert.equal(await childrenOf(root), 3)
})

test('a jti is taken once for one text: another under it is refused (section 6)', async () => {
  const root = await mint(world, a)
  const jti = 'one-of-a-kind'
  await mint(world, b, await delegate(world, root, b, { jti }))
  await refusedUnder(world, b, await delegate(world, root, b, { jti, scope: 'read' }), because('delegation_twin'))
  const elsewhere = await mint(world, c)
  await mint(world, b, await delegate(world, elsewhere, b, { jti }))
})

test('[attack 62] the same claims with another signature that holds are another text (section 6)', async () => {
  const root = await mint(world, a)
  const claims = await assertionClaims(world, root, b)
  const first = signedByA(claims)
  const twins = [signedByA(claims), withOtherS(first)]
  await mint(world, b, first)
  const asked = { client_id: 'crew', agent_id: 'b', jkt: await thumbprint(b.key) }
  for (const twin of twins) {
    await assert.rejects(
      proveDelegation(freshPass(ctx), twin, asked),
      isRefusal('delegation_unauthorized', 'delegation_twin'),
    )
    await refusedUnder(world, b, twin, because('delegation_twin'))
  }
})

test('of twins at once one is taken (section 6)', async () => {
  for (let round = 0; round < 10; round += 1) {
    const root = await mint(world, a)
    const claims = await assertionClaims(world, root, b)
    assert.deepEqual(await sendAll([signedByA(claims), signedByA(claims)]), [200, 403])
    assert.equal(await childrenOf(root), 1)
  }
})

test('a twin that another parent token has taken is refused in the write as well (section 6)', async () => {
  const [one, two] = [await mint(world, a), await mint(world, a)]
  const asked = { client_id: 'crew', agent_id: 'b', jkt: await thumbprint(b.key) }
  const late = await proveDelegation(freshPass(ctx), await delegate(world, two, b, { jti: 'crossed' }), asked)
  await mint(world, b, await delegate(world, one, b, { jti: 'crossed' }))
  const rules = { limits: LIMITS, proofs: false, now: ctx.now() }
  assert.equal((await recordProven(ctx, late, rules))?.reason, 'delegation_twin')
})

test('a delegation that ends before its write is refused there (section 6)', async () => {
  const root = await mint(world, a)
  const asked = { client_id: 'crew', agent_id: 'b', jkt: await thumbprint(b.key) }
  const exp = clock.seconds() + 5
  const proven = await proveDelegation(freshPass(ctx), await delegate(world, root, b, { exp }), asked)
  const ended = await delegate(world, root, b, { iat: clock.seconds() - 1, exp: clock.seconds() })
  const expired = isRefusal('delegation_unauthorized', 'delegation_expired')
  await assert.rejects(proveDelegation(freshPass(ctx), ended, asked), expired)
  const rules = (seconds: number) => ({ limits: LIMITS, proofs: false, now: new Date(seconds * 1000) })
  assert.equal((await recordProven(ctx, proven, rules(exp)))?.reason, 'delegation_expired')
  assert.equal(await recordProven(ctx, proven, rules(exp - 1)), undefined)
})

test('a parent that vanished before the write delegates nothing (section 6)', async () => {
  const root = await mint(world, a)
  const asked = { client_id: 'crew', agent_id: 'b', jkt: await thumbprint(b.key) }
  const proven = await proveDelegation(freshPass(ctx), await delegate(world, root, b), asked)
  await ctx.db.deleteFrom('token').where('jti', '=', root.claims.jti).execute()
  const refusal = await recordProven(ctx, proven, { limits: LIMITS, proofs: false, now: ctx.now() })
  assert.equal(refusal?.reason, 'delegation_parent_unknown')
})

async function givenMiddle(): Promise<{ readonly root: Minted; readonly middle: Minted }> {
  const [root, middle] = await mintChain(world, agents.slice(0, 2))
  assert.ok(root && middle)
  return { root, middle }
}

test('a token above that is of no agent, or of another client, makes no chain (section 6)', async () => {
  for (const members of [{ agent_id: null }, { client_id: 'patcher' }]) {
    const { root, middle } = await givenMiddle()
    const assertion = await delegate(world, middle, c)
    await ctx.db.updateTable('token').set(members).where('jti', '=', root.claims.jti).execute()
    await refusedUnder(world, c, assertion, because('delegation_parent_unknown'))
  }
})

test('a delegation whose record above has a gap is refused (section 6)', async () => {
  const { root, middle } = await givenMiddle()
  const assertion = await delegate(world, middle, c)
  await ctx.db.deleteFrom('token').where('jti', '=', root.claims.jti).execute()
  await refusedUnder(world, c, assertion, because('delegation_parent_unknown'))
  const other = await givenMiddle()
  const next = await delegate(world, other.middle, c)
  await ctx.db.deleteFrom('delegation').where('parent_jti', '=', other.root.claims.jti).execute()
  await refusedUnder(world, c, next, because('delegation_parent_unknown'))
})

test('delegations are kept two days past their end, then whole chains go (docs/operations.md)', async () => {
  await ctx.db.deleteFrom('delegation').execute()
  await mintChain(world, agents.slice(0, 5))
  const count = async () => (await ctx.db.selectFrom('delegation').select('jti').execute()).length
  clock.advance(600 + 2 * 86_400)
  await purgeDelegations(ctx)
  assert.equal(await count(), 4)
  clock.advance(1)
  const [root] = await mintChain(world, [a])
  assert.ok(root)
  await mint(world, b, await delegate(world, root, b))
  await purgeDelegations(ctx)
  assert.equal(await count(), 1)
})

test('a piece of the purge never has a delegation without those below it (store/delegations.ts)', async () => {
  await ctx.db.deleteFrom('delegation').execute()
  const root = await mint(world, a)
  const above = await givenDelegationFrom(ctx, root.claims.jti)
  const middle = await givenTokenUnder(ctx, above)
  const chain = ['agent:crew:a', 'agent:crew:b', 'agent:crew:c']
  const leaf = await givenTokenUnder(ctx, await givenDelegationFrom(ctx, middle, { chain }))
  // More than a piece, and all end at the same time.
  await givenSiblings(ctx, leaf, 5_000)
  clock.advance(3 * 86_400)
  await purgeDelegations(ctx)
  const left = ctx.db.selectFrom('delegation').select('delegation_id').limit(3)
  assert.equal((await left.execute()).length, 2)
  await purgeDelegations(ctx)
  assert.deepEqual(await left.execute(), [])
})

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** ECDSA takes s and order - s alike. */
function withOtherS(jws: string): string {
  const [header = '', payload = '', signature = ''] = jws.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = P256_ORDER - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const changed = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  return `${header}.${payload}.${changed.toString('base64url')}`
}
