import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delegationDigest } from '../../src/protocol/delegation.ts'
import { chainCommitment, sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { clientCredentials, send } from '../attacks/attempt.ts'
import { READ_API, thumbprint, WRITE_API } from '../attacks/given.ts'
import { forge, testKey } from '../protocol/forge.ts'
import { because, delegate, givenCrew, mint, mintChain, readToken, refusedUnder } from './delegating.ts'

const { world, agents } = await givenCrew()
const [a, b, c] = agents
assert.ok(a && b && c)
const { ctx } = world
const { clock } = world.app

test('a delegated token names its chain, is bound to the delegate, and leaves both rows behind (sections 6 and 7)', async () => {
  const [root, middle] = await mintChain(world, [a, b], { scope: 'read write' })
  assert.ok(root && middle)
  const assertion = await delegate(world, middle, c, { scope: 'read', exp: clock.seconds() + 100 })
  const leaf = await mint(world, c, assertion)
  const names = ['agent:crew:a', 'agent:crew:b', 'agent:crew:c']
  const { claims } = leaf
  assert.equal(claims.sub, 'agent:crew:a')
  assert.deepEqual(claims.act, {
    sub: 'agent:crew:c',
    sub_profile: 'ai_agent',
    act: { sub: 'agent:crew:b', sub_profile: 'ai_agent' },
  })
  assert.equal(claims.intent?.delegation_chain, sequenceHash(['a', 'b', 'c']))
  assert.equal(claims.intent?.chain_commitment, chainCommitment(names))
  assert.equal(claims.intent?.initiated_by, 'agent:crew:a')
  assert.deepEqual(claims.cnf, { jkt: await thumbprint(c.key) })
  const delegation_id = delegationDigest(assertion)
  const row = await ctx.db
    .selectFrom('delegation')
    .selectAll()
    .where('delegation_id', '=', delegation_id)
    .executeTakeFirst()
  assert.ok(row)
  const { issued_at, expires_at, presented_at, jti, ...rest } = row
  assert.deepEqual(rest, {
    delegation_id,
    client_id: 'crew',
    delegator: 'agent:crew:b',
    delegate: 'agent:crew:c',
    parent_jti: middle.claims.jti,
    parent_delegation_id: delegationDigest(middle.assertion ?? ''),
    execution_id: null,
    workflow_step: null,
    delegator_jkt: await thumbprint(b.key),
    jkt: await thumbprint(c.key),
    scope: 'read',
    resource: READ_API,
    chain: names,
    assertion,
    revoked_at: null,
  })
  assert.equal(jti.length, 36)
  const seconds = [issued_at, expires_at, presented_at].map(date => date.getTime() / 1000 - clock.seconds())
  assert.deepEqual(seconds, [0, 100, 0])
  const token = await ctx.db
    .selectFrom('token')
    .select(['parent_jti', 'delegation_id', 'expires_at'])
    .where('jti', '=', claims.jti)
    .executeTakeFirst()
  assert.deepEqual(token, { parent_jti: middle.claims.jti, delegation_id, expires_at })
})

test('[attack 59] each token ends at the delegation at the latest; the holder presents it until then (section 6)', async () => {
  const root = await mint(world, a)
  const assertion = await delegate(world, root, b)
  assert.equal((await mint(world, b, assertion)).claims.exp, clock.seconds() + 300)
  clock.advance(500)
  // The parent has expired, and the first presentation was within its 120 s.
  assert.equal((await mint(world, b, assertion)).claims.exp, clock.seconds() + 100)
  clock.advance(99)
  assert.equal((await mint(world, b, assertion)).claims.exp, clock.seconds() + 1)
  clock.advance(1)
  await refusedUnder(world, b, assertion, because('delegation_expired'))
})

test('it is first presented within 120 s, and dated at most 10 s ahead (section 3)', async () => {
  const root = await mint(world, a)
  const late = await delegate(world, root, b)
  const intime = await delegate(world, root, b)
  await refusedUnder(world, b, await delegate(world, root, b, { iat: clock.seconds() + 11 }), because('iat_future'))
  await mint(world, b, await delegate(world, root, b, { iat: clock.seconds() + 10 }))
  clock.advance(120)
  await mint(world, b, intime)
  clock.advance(1)
  await refusedUnder(world, b, late, because('delegation_late'))
  await mint(world, b, intime)
})

test('the parent was live when it was signed (section 6)', async () => {
  const root = await mint(world, a)
  const start = clock.seconds()
  const exp = start + 600
  await mint(world, b, await delegate(world, root, b, { iat: start - 10, exp }))
  await refusedUnder(
    world,
    b,
    await delegate(world, root, b, { iat: start - 11, exp }),
    because('delegation_parent_not_live'),
  )
  clock.advance(310)
  await mint(world, b, await delegate(world, root, b, { iat: start + 299, exp }))
  await refusedUnder(
    world,
    b,
    await delegate(world, root, b, { iat: start + 300, exp }),
    because('delegation_parent_not_live'),
  )
})

test('it ends at most an hour after iat where nothing above it ends, else with what is above (section 6)', async () => {
  const root = await mint(world, a)
  const iat = clock.seconds()
  const tooLong = because('delegation_too_long')
  await refusedUnder(world, b, await delegate(world, root, b, { exp: iat + 3_601 }), tooLong)
  const longest = await mint(world, b, await delegate(world, root, b, { exp: iat + 3_600 }))
  await refusedUnder(world, c, await delegate(world, longest, c, { exp: iat + 3_601 }), tooLong)
  const middle = await mint(world, b, await delegate(world, root, b, { exp: iat + 400 }))
  await refusedUnder(world, c, await delegate(world, middle, c, { exp: iat + 401 }), tooLong)
  await mint(world, c, await delegate(world, middle, c, { exp: iat + 400 }))
})

test('only the delegate presents it, with the key that it names (section 6)', async () => {
  const root = await mint(world, a)
  const assertion = await delegate(world, root, b)
  await refusedUnder(world, c, assertion, because('delegation_sub'))
  const otherKey = await delegate(world, root, b, { jkt: await thumbprint(c.key) })
  await refusedUnder(world, b, otherKey, because('delegation_jkt'))
  await mint(world, b, assertion)
})

test('[attack 45] only the key of the parent token delegates from it (section 6)', async () => {
  const root = await mint(world, a)
  for (const key of [c.key, testKey('ES256'), testKey('Ed25519')]) {
    await refusedUnder(world, b, await delegate(world, root, b, {}, key), because('delegation_signer'))
  }
  const stolen = await delegate(world, root, b, { iss: 'agent:crew:c' }, c.key)
  await refusedUnder(world, b, stolen, because('delegation_iss'))
})

test('every claim is there, of its type, and for this server (section 6)', async () => {
  const root = await mint(world, a)
  const malformed = [
    ...['iss', 'sub', 'parent_jti', 'jkt', 'scope', 'resource', 'jti', 'iat', 'exp'].map(name => ({
      [name]: undefined,
    })),
    { iss: 'a'.repeat(65) },
    { prev: 'short' },
    { jkt: 7 },
    { resource: [] },
    { resource: [READ_API, WRITE_API] },
    { resource: READ_API },
    { exp: clock.seconds() },
    { jti: '' },
    { workflow_step: 'a b' },
  ]
  for (const changes of malformed) {
    await refusedUnder(world, b, await delegate(world, root, b, changes), because('delegation_claims'))
  }
  await refusedUnder(world, b, await delegate(world, root, b, { iat: 1.5 }), because('time_not_integer'))
  await refusedUnder(
    world,
    b,
    await delegate(world, root, b, { scope: 'read  write' }),
    because('delegation_scope_malformed'),
  )
  for (const aud of [undefined, `${world.app.issuer}/`, [world.app.issuer, READ_API]]) {
    await refusedUnder(world, b, await delegate(world, root, b, { aud }), because('delegation_audience'))
  }
})

test('[attack 12] only a delegation assertion is one, signed by the key in its header (section 6)', async () => {
  const root = await mint(world, a)
  const [header = '', payload = '', signature = ''] = (await delegate(world, root, b)).split('.')
  const claims: object = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const { alg, jwk } = a.key
  const shown = (changes: object, key = a.key) => forge({ alg, typ: 'delegation+jwt', jwk, ...changes }, claims, key)
  await refusedUnder(world, b, shown({ typ: 'dpop+jwt' }), because('jws_typ'))
  await refusedUnder(world, b, shown({ typ: undefined }), because('jws_typ'))
  await refusedUnder(world, b, shown({ alg: 'none' }), because('jws_alg'))
  await refusedUnder(world, b, shown({}, c.key), because('jws_signature'))
  await refusedUnder(world, b, shown({ jwk: undefined }), because('malformed_jwk'))
  await refusedUnder(world, b, `${header}.${payload}.${signature.slice(0, -4)}AAAA`, because('jws_signature'))
  await refusedUnder(world, b, root.token, because('malformed_jwk'))
})

test('[attack 63] [attack 65] prev, parent and execution are those of the record (section 6)', async () => {
  const [root, middle] = await mintChain(world, [a, b])
  assert.ok(root && middle)
  const cut = because('delegation_prev')
  await refusedUnder(world, c, await delegate(world, middle, c, { prev: undefined }), cut)
  await refusedUnder(world, c, await delegate(world, middle, c, { prev: delegationDigest('x') }), cut)
  await refusedUnder(world, b, await delegate(world, root, b, { prev: delegationDigest('x') }), cut)
  const foreign = { execution_id: 'exe_AAAAAAAAAAAAAAAAAAAAAA' }
  await refusedUnder(world, b, await delegate(world, root, b, foreign), because('delegation_execution'))
  const unknown = because('delegation_parent_unknown')
  await refusedUnder(world, b, await delegate(world, root, b, { parent_jti: 'unknown' }), unknown)
  const elsewhere = await mint(world, world.solo)
  await refusedUnder(world, b, await delegate(world, elsewhere, b, { jkt: await thumbprint(b.key) }), unknown)
})

test('[attack 62] a hop of one chain is not spliced onto another, though the agents are the same (section 6)', async () => {
  const [, one] = await mintChain(world, [a, b])
  const [, two] = await mintChain(world, [a, b])
  assert.ok(one && two)
  const spliced = await delegate(world, one, c, { parent_jti: two.claims.jti })
  await refusedUnder(world, c, spliced, because('delegation_prev'))
  const root = await mint(world, a)
  await refusedUnder(
    world,
    c,
    await delegate(world, one, c, { parent_jti: root.claims.jti }),
    because('delegation_iss'),
  )
})

test("a client's own token delegates nothing: the root is an agent (section 6)", async () => {
  const answer = await send(world, clientCredentials(world, a.client))
  assert.equal(answer.status, 200, answer.text)
  const parent = { agent: a, ...readToken(answer), key: a.client.dpopKey }
  await refusedUnder(world, b, await delegate(world, parent, b), because('delegation_parent_not_agent'))
})
