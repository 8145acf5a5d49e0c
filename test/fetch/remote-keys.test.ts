import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JWK } from 'jose'
import pino from 'pino'
import { createRemoteKeys } from '../../src/server/fetch/remote-keys.ts'
import { generateKey } from '../support/dpop.ts'
import { givenServer, PRIVATE, refusedWith } from './given.ts'

/** A server of key sets whose answer can be changed, and a cache with a clock of its own. */
async function given(...keys: readonly object[]) {
  const served: { keys: readonly object[] | undefined } = { keys }
  const { url, seen } = await givenServer((_request, response) => {
    response.writeHead(served.keys ? 200 : 500, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: served.keys }))
  })
  let time = 1_000_000
  const now = () => new Date(time * 1000)
  const remote = createRemoteKeys({ ...PRIVATE, log: pino({ level: 'silent' }), now })
  const advance = (seconds: number) => {
    time += seconds
  }
  const kids = async (kid?: string) => (await remote.find('app', url, kid))?.map(key => key.kid)
  return { url, served, remote, advance, kids, fetches: () => seen.requests.length }
}

async function jwk(kid: string): Promise<JWK> {
  return { ...(await generateKey()).jwk, kid }
}

test('a set is fetched once for many who ask at once, and again after 5 minutes (protocol.md section 8)', async () => {
  const { advance, kids, fetches } = await given(await jwk('a'))
  const answers = await Promise.all(Array.from({ length: 20 }, () => kids('a')))
  assert.deepEqual([answers.every(answer => answer?.join() === 'a'), fetches()], [true, 1])
  advance(299)
  await kids('a')
  assert.equal(fetches(), 1)
  advance(1)
  assert.deepEqual([await kids('a'), fetches()], [['a'], 2])
})

test('a key that left the set is refused within 5 minutes', async () => {
  const { served, advance, kids } = await given(await jwk('a'), await jwk('b'))
  assert.deepEqual(await kids('a'), ['a', 'b'])
  served.keys = [await jwk('b')]
  advance(300)
  assert.deepEqual(await kids('a'), ['b'])
})

test('an unknown kid asks again, at most once in 30 s', async () => {
  const { served, advance, kids, fetches } = await given(await jwk('a'))
  await kids('a')
  served.keys = [await jwk('b')]
  await Promise.all(Array.from({ length: 20 }, () => kids('b')))
  assert.equal(fetches(), 1)
  advance(30)
  assert.deepEqual([await kids('b'), fetches()], [['b'], 2])
  for (let n = 0; n < 20; n += 1) await kids(`guess-${n}`)
  assert.equal(fetches(), 2)
})

test('through an outage the last good set serves for an hour, with one attempt in 30 s, and no longer', async () => {
  const { served, advance, kids, fetches } = await given(await jwk('a'))
  await kids()
  served.keys = undefined
  advance(300)
  assert.deepEqual([await kids(), await kids(), fetches()], [['a'], ['a'], 2])
  advance(30)
  assert.deepEqual([await kids(), fetches()], [['a'], 3])
  advance(3_600 - 330)
  assert.deepEqual(await kids(), ['a'])
  advance(1)
  assert.equal(await kids(), undefined)
  served.keys = [await jwk('b')]
  advance(30)
  assert.deepEqual(await kids(), ['b'])
})

test('a URL that never answered is asked once in 30 s, and gives no key', async () => {
  const { served, advance, kids, fetches } = await given()
  served.keys = undefined
  assert.deepEqual([await kids(), await kids('x'), fetches()], [undefined, undefined, 1])
  advance(30)
  assert.deepEqual([await kids(), fetches()], [undefined, 2])
})

test('one client’s set is never another’s, also at the same URL', async () => {
  const { url, remote, fetches } = await given(await jwk('a'))
  await remote.find('one', url)
  await remote.find('two', url)
  assert.equal(fetches(), 2)
})

test('at most 1,000 sets are kept; the one that was longest unused is fetched anew', async () => {
  const { url, remote, fetches } = await given(await jwk('a'))
  await remote.find('first', url)
  await remote.find('second', url)
  for (let n = 0; n < 999; n += 1) {
    await remote.find('second', url)
    await remote.find(`c${n}`, url)
  }
  assert.equal(fetches(), 1_001)
  await remote.find('second', url)
  assert.equal(fetches(), 1_001)
  await remote.find('first', url)
  assert.equal(fetches(), 1_002)
})

test('keys of other kinds and uses are left out, and a set with a private key or none of ours is refused', async () => {
  const usable = await jwk('a')
  const p384 = { kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA', kid: 'p384' }
  const mixed = await given(p384, { ...(await jwk('enc')), use: 'enc' }, usable)
  assert.deepEqual(await mixed.kids(), ['a'])
  const refusals = [[], [p384], [usable, { ...usable, d: 'AA' }], [usable, usable], ['x'], new Array(17).fill(usable)]
  for (const keys of refusals) {
    const { remote, url, kids } = await given(...keys)
    assert.equal(await refusedWith(remote.fetch(url)), 'fetch_malformed')
    assert.equal(await kids(), undefined)
  }
})
