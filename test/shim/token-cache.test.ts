import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTokenCache } from '../../src/shim/token-cache.ts'

/** A cache at second 0, and a server that counts its mints and can be made to fail. */
function given() {
  const clock = { now: 0 }
  const state = { mints: 0, isDown: false }
  const cache = createTokenCache(() => clock.now)
  const mint = async () => {
    state.mints += 1
    if (state.isDown) throw new Error('down')
    const access_token = `token ${state.mints}`
    return { access_token, jti: access_token, scope: [], iat: clock.now, exp: clock.now + 300 }
  }
  const get = async (name = 'a') => (await cache.get(name, mint)).access_token
  return { cache, clock, state, get }
}

test('however many wait for one token, it is minted once; a failure is told to all, and the next tries again', async () => {
  const { state, get } = given()
  state.isDown = true
  const failed = await Promise.allSettled([get(), get(), get()])
  assert.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  )
  state.isDown = false
  assert.deepEqual(await Promise.all([get(), get(), get()]), ['token 2', 'token 2', 'token 2'])
  assert.equal(state.mints, 2)
})

test('a token is used until 10 s before its end, and renewed behind the calls in its last quarter', async () => {
  const { clock, state, get } = given()
  await get()
  clock.now = 224
  assert.deepEqual([await get(), state.mints], ['token 1', 1])
  clock.now = 225
  assert.deepEqual([await get(), state.mints], ['token 1', 2])
  assert.equal(await get(), 'token 2')
  clock.now = 225 + 300 - 10
  assert.equal(await get(), 'token 3')
})

test('a renewal that fails is tried again after 5 s, not at each call; the token counts meanwhile', async () => {
  const { clock, state, get } = given()
  await get()
  clock.now = 230
  state.isDown = true
  for (const turn of [1, 2, 3, 4]) assert.deepEqual([await get(), turn], ['token 1', turn])
  assert.equal(state.mints, 2)
  clock.now = 234
  await get()
  assert.equal(state.mints, 2)
  clock.now = 235
  await get()
  assert.equal(state.mints, 3)
  clock.now = 290
  await assert.rejects(get())
})

test('what was refused is forgotten, and nothing else', async () => {
  const { cache, state, get } = given()
  await get('a')
  await get('b')
  cache.drop('token 1')
  assert.equal(await get('b'), 'token 2')
  assert.equal(await get('a'), 'token 3')
  assert.equal(state.mints, 3)
})

test('of more than 256 the one that was wanted least recently is forgotten', async () => {
  const { get } = given()
  for (let n = 1; n <= 256; n += 1) await get(String(n))
  assert.equal(await get('1'), 'token 1')
  await get('257')
  assert.equal(await get('1'), 'token 1')
  assert.equal(await get('2'), 'token 258')
})
