import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNING_ALGS } from '../../src/protocol/resource.ts'
import { transaction } from '../../src/server/context.ts'
import { rotateKeys } from '../../src/server/keys/rotate-keys.ts'
import { MOST_PUBLISHED } from '../../src/server/keys/rotation.ts'
import { lockRotation } from '../../src/server/store/signing-keys.ts'
import { anotherNode, keysIn, publishes, rotate, signed } from '../keys/given.ts'
import { startTestApp } from '../support/app.ts'
import { givenAdmin } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { adminCalls, lastAudited, somebodyWaits } from './admin-call.ts'
import { entries, revoke } from './given-revocation.ts'

const app = await startTestApp()
const { ctx, clock, issuer } = app
const admin = await givenAdmin(app)
const call = adminCalls(app, admin, 'admin:keys')
const PATH = '/keys/rotate'
const after = (seconds: number) => new Date(clock.now().getTime() + seconds * 1000).toISOString()

test('POST /admin/v1/keys/rotate publishes a key at once that signs after its lead, once an Idempotency-Key (section 11)', async () => {
  const { kid: old } = await signed(ctx)
  const body = { alg: 'ES256', publish_lead: 40 }
  const made = await call('POST', PATH, { body, key: 'rotate-1' })
  const { kid, note, ...answer } = made.body
  assert.equal(made.status, 201, JSON.stringify(made.body))
  assert.deepEqual(answer, {
    ...{ dry_run: false, alg: 'ES256', publish_lead: 40, active_at: after(40) },
    ...{ replaces: old, replaced_until: after(40 + 1_860) },
  })
  assert.match(note, /publish_lead of 600 or more/)
  assert.deepEqual(await lastAudited(app, 'key.rotate'), {
    outcome: 'success',
    reason: null,
    client_id: admin.client_id,
    details: { alg: 'ES256', kid, publish_lead: 40, active_at: answer.active_at, replaces: old },
  })
  const { keys } = await jsonOf(await fetch(`${issuer}/.well-known/jwks.json`))
  assert.ok(JSON.stringify(keys).includes(kid))

  const again = await call('POST', PATH, { body, key: 'rotate-1' })
  assert.deepEqual([again.status, again.body, again.headers.get('idempotency-replayed')], [201, made.body, 'true'])
  assert.equal((await keysIn(ctx, 'next')).length, 1)
  assert.equal((await signed(ctx)).kid, old)
  clock.advance(39)
  assert.equal((await signed(ctx)).kid, kid)
})

test('rotations overlap: next is a list, each signs in its turn, and a later call says whom it follows (section 9)', async () => {
  const first = (await call('POST', PATH, { body: { alg: 'EdDSA', publish_lead: 60 } })).body
  const second = (await call('POST', PATH, { body: { alg: 'EdDSA' } })).body
  assert.deepEqual([second.publish_lead, second.replaces, second.note], [86_400, first.kid, undefined])
  const third = (await call('POST', PATH, { body: { alg: 'EdDSA', publish_lead: 70 } })).body
  assert.equal(third.replaces, first.kid)
  const inTurn = async (seconds: number) => {
    clock.advance(seconds)
    return (await ctx.keys.signer('EdDSA')).kid
  }
  assert.deepEqual([await inTurn(60), await inTurn(10), await inTurn(86_400)], [first.kid, third.kid, second.kid])
})

test('a dry run says what would happen and makes nothing (reliability.md section 4)', async () => {
  const before = JSON.stringify(ctx.keys.published())
  const { kid: replaces } = await ctx.keys.signer('RS256')
  const { status, body } = await call('POST', PATH, { body: { alg: 'RS256', publish_lead: 600, dry_run: true } })
  const planned = { active_at: after(600), replaces, replaced_until: after(2_460) }
  assert.deepEqual([status, body], [200, { dry_run: true, kid: null, alg: 'RS256', publish_lead: 600, ...planned }])
  await ctx.keys.refresh()
  assert.equal(JSON.stringify(ctx.keys.published()), before)
  assert.equal((await keysIn(ctx, 'next', 'RS256')).length, 0)
})

test('a lead below 40 s, an unknown algorithm or member, and another scope are refused (protocol.md section 9)', async () => {
  const good = { alg: 'ES256', publish_lead: 40 }
  for (const body of [
    { ...good, publish_lead: 39 },
    { ...good, publish_lead: 40.5 },
    { ...good, publish_lead: 2_592_001 },
    { ...good, alg: 'HS256' },
    { ...good, state: 'active' },
    {},
  ]) {
    assert.equal((await call('POST', PATH, { body })).status, 400, JSON.stringify(body))
  }
  const others = adminCalls(app, admin, 'revoke admin:clients')
  assert.equal((await others('POST', PATH, { body: good })).status, 403)
  assert.equal((await others('GET', '/keys')).status, 403)
})

test('GET /admin/v1/keys shows every state, page by page, and no part of a key (section 11)', async () => {
  const own = await startTestApp()
  const list = adminCalls(own, await givenAdmin(own), 'admin:keys')
  const kid = await rotate(own.ctx, 40)
  const [old] = await keysIn(own.ctx, 'active')
  own.clock.advance(40)
  await rotateKeys(own.ctx)
  const since = own.ctx.now()
  await revoke(own.ctx, 'key', kid)
  await own.ctx.keys.refresh()
  const [next] = await keysIn(own.ctx, 'active')
  const all = (await list('GET', '/keys')).body
  assert.equal(all.next_cursor, null)
  const states = all.items.map((item: { kid: string; state: string }) => [item.kid, item.state])
  assert.ok(JSON.stringify(states).includes(JSON.stringify([kid, 'compromised'])))
  assert.ok(JSON.stringify(states).includes(JSON.stringify([next?.kid, 'active'])))
  const retiring = all.items.find((item: { kid: string }) => item.kid === old?.kid)
  assert.deepEqual(
    { ...retiring, created_at: '' },
    {
      ...{ kid: old?.kid, alg: 'ES256', state: 'retiring', created_at: '', active_at: old?.active_at?.toISOString() },
      ...{ retiring_at: since.toISOString(), retired_at: null },
      published_until: new Date(since.getTime() + 1_860_000).toISOString(),
    },
  )
  const paged: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body } = await list('GET', `/keys?limit=2${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
    assert.ok(body.items.length > 0 && body.items.length <= 2)
    paged.push(...body.items)
    cursor = body.next_cursor
  }
  assert.deepEqual(paged, all.items)
  assert.equal((await list('GET', '/keys?cursor=AAAA')).body.code, 'invalid_request')
})

test('60 keys are the most that are published at a time: a verifier reads 64 KB (attacks.md 117)', async () => {
  const own = await startTestApp()
  const rotations = adminCalls(own, await givenAdmin(own), 'admin:keys')
  while (own.ctx.keys.published().length < MOST_PUBLISHED) await rotate(own.ctx, 2_592_000)
  for (const dry_run of [true, false]) {
    const { status, body } = await rotations('POST', PATH, { body: { alg: 'ES256', dry_run } })
    assert.deepEqual([status, body.code], [409, 'conflict'])
  }
  assert.equal((await lastAudited(own, 'key.rotate')).reason, 'too_many_published')
  assert.equal(own.ctx.keys.published().length, MOST_PUBLISHED)
})

test('[attack 117] a stolen key is followed at once by the one that waited, which every node has published (section 4)', async () => {
  const own = await startTestApp()
  await rotateKeys(own.ctx)
  const [stolen, [waiting]] = [await signed(own.ctx), await keysIn(own.ctx, 'next')]
  const other = await anotherNode(own.ctx)
  assert.ok(waiting && publishes(other, waiting.kid))
  await revoke(own.ctx, 'key', stolen.kid)
  assert.deepEqual((await lastAudited(own, 'revocation.create')).details.next_kid, waiting.kid)
  assert.deepEqual((await entries(own.ctx, 'key')).at(-1), { id: stolen.kid, seconds: 86_400 })
  const [active] = await keysIn(own.ctx, 'active')
  assert.deepEqual([active?.kid, active?.active_at], [waiting.kid, own.ctx.now()])
  const [erased] = await keysIn(own.ctx, 'compromised')
  assert.deepEqual([erased?.kid, erased?.private_sealed], [stolen.kid, null])
  for (const node of [own.ctx, other]) {
    await node.keys.refresh()
    assert.deepEqual([(await signed(node)).kid, publishes(node, stolen.kid)], [waiting.kid, false])
  }
  // Another one waits from the next turn on, for every algorithm.
  await rotateKeys(own.ctx)
  for (const alg of SIGNING_ALGS) assert.equal((await keysIn(own.ctx, 'next', alg)).length, 1)
})

test('a stolen key is judged by the instants, not by a row that nobody has switched: nothing else is replaced (section 4)', async () => {
  const own = await startTestApp()
  const [old, kid] = [(await signed(own.ctx)).kid, await rotate(own.ctx, 40)]
  own.clock.advance(40)
  await revoke(own.ctx, 'key', old)
  await own.ctx.keys.refresh()
  assert.equal((await signed(own.ctx)).kid, kid)
  assert.equal((await keysIn(own.ctx, 'active')).length, 1)
  // A key that only waits is taken out, and nothing takes its place but the next that time asks for.
  const waiting = await rotate(own.ctx, 40)
  await revoke(own.ctx, 'key', waiting)
  await own.ctx.keys.refresh()
  own.clock.advance(40)
  assert.deepEqual([(await signed(own.ctx)).kid, publishes(own.ctx, waiting)], [kid, false])
  // The one that signs by its instant alone is replaced all the same.
  const due = await rotate(own.ctx, 40)
  own.clock.advance(40)
  await revoke(own.ctx, 'key', due)
  await own.ctx.keys.refresh()
  const { kid: last } = await signed(own.ctx)
  assert.ok(![old, kid, waiting, due].includes(last))
})

test('a rotation and a revocation wait for the node that is changing keys, and judge what it left (reliability.md section 4)', async () => {
  const own = await startTestApp()
  const { kid: old } = await signed(own.ctx)
  for (const change of [() => rotate(own.ctx, 40), () => revoke(own.ctx, 'key', old)]) {
    let changing: Promise<unknown> | undefined
    await transaction(own.ctx, async tx => {
      await lockRotation(tx)
      changing = change()
      const early = changing.then(() => assert.fail('it did not wait'))
      await Promise.race([somebodyWaits(own), early])
      early.catch(() => {})
    })
    await changing
  }
})
