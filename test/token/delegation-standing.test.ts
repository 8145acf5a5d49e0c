import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { insertRevocations, type RevocationRef, standingRevocation } from '../../src/server/store/revocations.ts'
import { proveDelegation } from '../../src/server/token/delegation.ts'
import { agentGrant, send, tokenRequest } from '../attacks/attempt.ts'
import { givenAgent, givenClient, givenResource, thumbprint } from '../attacks/given.ts'
import { refused } from '../attacks/refused.ts'
import { refusal, testKey } from '../protocol/forge.ts'
import { revoke } from '../registry/given-revocation.ts'
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
  mintChain,
  refusedUnder,
} from './delegating.ts'
import { byAgent, statementFor } from './statement.ts'

const { world, agents } = await givenCrew()
const [a, b, c] = agents
assert.ok(a && b && c)
const { ctx } = world
const { clock } = world.app

/** The tokens above: of the root and of the one who delegates. */
type Above = { readonly root: Minted; readonly middle: Minted }
type Change = (above: Above) => Promise<unknown>
type Case = { readonly name: string; readonly reason: string; readonly make: Change; readonly undo: Change }

const agentOf = (status: 'active' | 'suspended' | 'revoked') => async () =>
  await ctx.db
    .updateTable('agent')
    .set({ status })
    .where('client_id', '=', 'crew')
    .where('agent_id', '=', 'a')
    .execute()
const versionOf = (status: 'active' | 'retired' | 'revoked') => async () =>
  await ctx.db.updateTable('registration').set({ status }).where('registration_id', '=', a.registration_id).execute()
const keyOf = (members: { revoked_at?: Date | null; removed_at?: Date | null }) => async () => {
  const jkt = await thumbprint(a.key)
  await ctx.db.updateTable('agent_key').set(members).where('jkt', '=', jkt).execute()
}
const tokenOf = (which: keyof Above, revoked_at: Date | null) => async (above: Above) =>
  await ctx.db.updateTable('token').set({ revoked_at }).where('jti', '=', above[which].claims.jti).execute()
const delegationOf = (revoked_at: Date | null) => async () =>
  await ctx.db.updateTable('delegation').set({ revoked_at }).where('delegate', '=', 'agent:crew:b').execute()
const entryOf = (ref: (above: Above) => RevocationRef | Promise<RevocationRef>) => async (above: Above) =>
  await insertRevocations(ctx, [await ref(above)], { reason: 'test', revoked_by: 'test', now: ctx.now() })
const noEntry = async () => await ctx.db.deleteFrom('revocation').execute()
const kidOf = ({ root }: Above) =>
  String(JSON.parse(Buffer.from(root.token.split('.')[0] ?? '', 'base64url').toString()).kid)

const now = ctx.now()
const revoked = 'delegation_above_revoked'
const CASES: readonly Case[] = [
  {
    name: 'agent suspended',
    reason: 'delegation_above_suspended',
    make: agentOf('suspended'),
    undo: agentOf('active'),
  },
  { name: 'agent revoked', reason: revoked, make: agentOf('revoked'), undo: agentOf('active') },
  { name: 'version revoked', reason: revoked, make: versionOf('revoked'), undo: versionOf('active') },
  { name: 'key revoked', reason: revoked, make: keyOf({ revoked_at: now }), undo: keyOf({ revoked_at: null }) },
  { name: 'root token revoked', reason: revoked, make: tokenOf('root', now), undo: tokenOf('root', null) },
  { name: 'parent token revoked', reason: revoked, make: tokenOf('middle', now), undo: tokenOf('middle', null) },
  { name: 'delegation above revoked', reason: revoked, make: delegationOf(now), undo: delegationOf(null) },
  {
    name: 'entry for the root token',
    reason: revoked,
    make: entryOf(({ root }) => ({ kind: 'token', id: root.claims.jti })),
    undo: noEntry,
  },
  {
    name: 'entry for the parent token',
    reason: revoked,
    make: entryOf(({ middle }) => ({ kind: 'token', id: middle.claims.jti })),
    undo: noEntry,
  },
  {
    name: 'entry for the agent',
    reason: revoked,
    make: entryOf(() => ({ kind: 'agent', id: 'crew/a' })),
    undo: noEntry,
  },
  {
    name: 'entry for the version',
    reason: revoked,
    make: entryOf(() => ({ kind: 'registration', id: a.registration_id })),
    undo: noEntry,
  },
  {
    name: 'entry for the key',
    reason: revoked,
    make: entryOf(async () => ({ kind: 'key', id: await thumbprint(a.key) })),
    undo: noEntry,
  },
  {
    name: 'entry for the initiator',
    reason: revoked,
    make: entryOf(() => ({ kind: 'initiator', id: 'agent:crew:a' })),
    undo: noEntry,
  },
]

/** Then nothing at all is minted with that key, so that there is no good request to compare with. */
const OUR_KEY: Case = {
  name: 'entry for our key',
  reason: revoked,
  make: entryOf(above => ({ kind: 'key', id: kidOf(above) })),
  undo: noEntry,
}

async function givenAbove(): Promise<Above> {
  const [root, middle] = await mintChain(
    world,
    [agents[0], agents[1]].filter(agent => agent !== undefined),
  )
  assert.ok(root && middle)
  return { root, middle }
}

for (const { name, reason, make, undo } of CASES) {
  test(`[attack 66] nothing is delegated under a revoked or suspended ancestor: ${name} (section 6)`, async () => {
    const above = await givenAbove()
    const [known, fresh] = [await delegate(world, above.middle, c), await delegate(world, above.middle, c)]
    await mint(world, c, known)
    await make(above)
    const asked = { client_id: 'crew', agent_id: 'c', jkt: await thumbprint(c.key) }
    await assert.rejects(proveDelegation(freshPass(ctx), fresh, asked), refusal('delegation_unauthorized', reason))
    await refusedUnder(world, c, fresh, because(reason))
    await refusedUnder(world, c, known, because(reason))
    await undo(above)
    await mint(world, c, fresh)
  })
}

for (const { name, reason, make, undo } of [...CASES, OUR_KEY]) {
  test(`and not where it comes between the checks and the write: ${name} (section 9)`, async () => {
    const above = await givenAbove()
    const asked = { client_id: 'crew', agent_id: 'c', jkt: await thumbprint(c.key) }
    const proven = await proveDelegation(freshPass(ctx), await delegate(world, above.middle, c), asked)
    await make(above)
    const record = async () =>
      await recordProven(ctx, proven, { limits: LIMITS_DEFAULT, proofs: false, now: ctx.now() })
    assert.equal((await record())?.reason, reason)
    const digest = proven.claims.digest
    const row = ctx.db.selectFrom('delegation').select('jti').where('delegation_id', '=', digest)
    assert.equal(await row.executeTakeFirst(), undefined)
    await undo(above)
    assert.equal(await record(), undefined)
    assert.notEqual(await row.executeTakeFirst(), undefined)
  })
}

test('a delegation that was itself revoked is over, also for who presented it before (section 9)', async () => {
  const { middle } = await givenAbove()
  const assertion = await delegate(world, middle, c)
  const asked = { client_id: 'crew', agent_id: 'c', jkt: await thumbprint(c.key) }
  const proven = await proveDelegation(freshPass(ctx), assertion, asked)
  await mint(world, c, assertion)
  await ctx.db.updateTable('delegation').set({ revoked_at: ctx.now() }).where('delegate', '=', 'agent:crew:c').execute()
  await refusedUnder(world, c, assertion, because('delegation_revoked'))
  const answer = await recordProven(ctx, proven, { limits: LIMITS_DEFAULT, proofs: false, now: ctx.now() })
  assert.equal(answer?.reason, 'delegation_revoked')
})

test('[attack 66] a superseded version, and a key that was only removed, take back nothing that they signed (section 6)', async () => {
  const { middle } = await givenAbove()
  const assertion = await delegate(world, middle, c)
  await versionOf('retired')()
  await keyOf({ removed_at: now })()
  await mint(world, c, assertion)
  await versionOf('active')()
  await keyOf({ removed_at: null })()
})

test('[attack 66] a new version of the delegator mints anew, and its old token still delegates (section 6)', async () => {
  const old = await givenAgent(ctx, a.client, 'renewed', { grant: { access: ACCESS } })
  const root = await mint(world, old)
  const next = await givenAgent(ctx, a.client, 'renewed', {
    key: old.key,
    prompt: 'You are new.',
    grant: { access: ACCESS },
  })
  const mismatch = { status: 401, error: 'agent_checksum_mismatch', reason: 'agent_checksum_mismatch', audited: true }
  await refused(world, agentGrant(world, '/intent/token', old), mismatch, agentGrant(world, '/intent/token', next))
  await mint(world, b, await delegate(world, root, b))
})

test('[attack 66] a revoked root ends its descendants, and they stay ended when the entries are gone (section 9)', async () => {
  const { root, middle } = await givenAbove()
  const assertion = await delegate(world, middle, c, { exp: clock.seconds() + 600 })
  const long = await delegate(world, root, b, { exp: clock.seconds() + 3_600 })
  const leaf = await mint(world, c, assertion)
  await mint(world, b, long)
  const isActive = async () => {
    const answer = await send(world, tokenRequest(world, '/oauth/introspect', a.client, leaf.token))
    return answer.body.active
  }
  assert.equal(await isActive(), true)
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', a.client, root.token))).status, 200)
  assert.equal(await isActive(), false)
  await refusedUnder(world, c, assertion, because('delegation_revoked'))
  clock.advance(1_000)
  assert.equal(
    await ctx.db.selectFrom('revocation').select('seq').where('ends_at', '>', ctx.now()).executeTakeFirst(),
    undefined,
  )
  await refusedUnder(world, b, long, because('delegation_revoked'))
})

test('under a token that fell the second assertion is refused before the write: no batch is undone for it (ADR 23)', async t => {
  const { middle } = await givenAbove()
  assert.equal((await send(world, tokenRequest(world, '/oauth/revoke', b.client, middle.token))).status, 200)
  const { mock } = t.mock.method(ctx.commits, 'write')
  const writes: number[] = []
  for (let n = 0; n < 3; n += 1) {
    await refusedUnder(world, c, await delegate(world, middle, c), because('delegation_above_revoked'))
    writes.push(mock.callCount())
    mock.resetCalls()
  }
  const [first = 0, second = 0, third = 0] = writes
  assert.deepEqual([second, third], [first - 1, first - 1])
})

test('an entry that ended between signing and presenting still counts: it covered the parent (section 9)', async () => {
  const resource = 'https://long.example.com'
  const wide = [...ACCESS, { resource, scope: 'read' }]
  await givenResource(ctx, { resource, scopes: [{ name: 'read' }], max_token_lifetime: 900 })
  const issuer = { resource: ctx.config.issuer, scope: 'generate:intent-token' }
  const client = await givenClient(ctx, 'long', { access: [...wide, issuer] })
  const first = await givenAgent(ctx, client, 'first', { grant: { access: wide } })
  const next = await givenAgent(ctx, client, 'next', { grant: { access: wide } })
  const root = await mint(world, first, undefined, { resource })
  const entry = { kind: 'initiator', id: 'agent:long:first' } as const
  await insertRevocations(ctx, [entry], { reason: 'test', revoked_by: 'test', now: ctx.now() })
  clock.advance(899)
  const assertion = await delegate(world, root, next)
  clock.advance(62)
  assert.equal(await standingRevocation(ctx, [entry], ctx.now()), false)
  const asked = { client_id: 'long', agent_id: 'next', jkt: await thumbprint(next.key) }
  await assert.rejects(proveDelegation(freshPass(ctx), assertion, asked), refusal('delegation_unauthorized'))
  await refusedUnder(world, next, assertion, because('delegation_above_revoked'), { resource })
  await ctx.db.deleteFrom('revocation').execute()
  const proven = await proveDelegation(freshPass(ctx), assertion, asked)
  const act = { reason: 'test', revoked_by: 'test', now: new Date(ctx.now().getTime() - 961_000) }
  await insertRevocations(ctx, [entry], act)
  const answer = await recordProven(ctx, proven, { limits: LIMITS_DEFAULT, proofs: false, now: ctx.now() })
  assert.equal(answer?.reason, 'delegation_above_revoked')
  await ctx.db.deleteFrom('revocation').execute()
})

test('and no more once it was presented: what an entry ended for good is marked (section 9)', async () => {
  const { root } = await givenAbove()
  const known = await delegate(world, root, b, { exp: clock.seconds() + 3_000 })
  await mint(world, b, known)
  const entry = { kind: 'token', id: root.claims.jti } as const
  await insertRevocations(ctx, [entry], { reason: 'test', revoked_by: 'test', now: ctx.now() })
  clock.advance(959)
  await refusedUnder(world, b, known, because('delegation_above_revoked'))
  clock.advance(1)
  await mint(world, b, known)
  // Beside one that has ended, one that stands.
  await insertRevocations(ctx, [entry], { reason: 'test', revoked_by: 'test', now: ctx.now() })
  await refusedUnder(world, b, known, because('delegation_above_revoked'))
})

test('[attack 66] what an endorsed key delegated ends with its endorser, also long after its statement was over (sections 4 and 9)', async () => {
  const endorser = await givenCrewAgent(world, a.client, 'endorser')
  const other = await givenCrewAgent(world, a.client, 'bystander')
  const delegated = async (by: typeof endorser) => {
    const holder = testKey('ES256')
    const statement = await statementFor(world, by, holder, byAgent(by), { exp: clock.seconds() + 60 })
    const root = await mint(world, by, undefined, { key: holder, params: { key_statement: statement } })
    const known = await delegate(world, root, b, { exp: clock.seconds() + 3_500 })
    await mint(world, b, known)
    return known
  }
  const [ending, lasting] = [await delegated(endorser), await delegated(other)]
  clock.advance(1_200)
  await mint(world, b, ending)
  const { revoked } = await revoke(ctx, 'key', await thumbprint(endorser.key))
  assert.equal(revoked.key, 2)
  await refusedUnder(world, b, ending, because('delegation_revoked'))
  await mint(world, b, lasting)
})
