import assert from 'node:assert/strict'
import { test } from 'node:test'
import { remoteJwks } from '../../src/verifier/remote-jwks.ts'
import { refusal } from '../protocol/forge.ts'
import { generateKey } from '../support/dpop.ts'

const { jwk } = await generateKey()
const KEY = { ...jwk, kid: 'one', alg: 'ES256', use: 'sig' }

/** A server of key sets with a clock: `answer` is what it says next. */
function keyServer() {
  const state = { seconds: 1_800_000_000, fetches: 0, answer: JSON.stringify({ keys: [KEY] }), isDown: false }
  const source = remoteJwks('https://idp.example.com/jwks.json', {
    now: () => new Date(state.seconds * 1000),
    fetch: async () => {
      state.fetches += 1
      if (state.isDown) throw new TypeError('fetch failed')
      return new Response(state.answer)
    },
  })
  const kids = async (kid: string) => (await source(kid)).map(key => ('kid' in key ? key.kid : undefined))
  return { state, kids }
}

test('[attack 117] requests at once share one fetch, and an unknown kid costs at most one in 30 s (protocol.md section 8)', async () => {
  const { state, kids } = keyServer()
  await Promise.all(Array.from({ length: 20 }, () => kids('one')))
  assert.equal(state.fetches, 1)
  for (let second = 0; second < 29; second += 1) {
    state.seconds += 1
    await kids(`unknown-${second}`)
  }
  assert.equal(state.fetches, 1)
  state.seconds += 1
  await kids('unknown')
  assert.equal(state.fetches, 2)
})

test('the last good set stands through an outage for 24 h, then nothing does (protocol.md section 8)', async () => {
  const { state, kids } = keyServer()
  await kids('one')
  state.isDown = true
  state.seconds += 86_400
  assert.deepEqual(await kids('one'), ['one'])
  state.seconds += 1
  await assert.rejects(kids('one'), refusal('temporarily_unavailable', 'jwks_unavailable'))
})

test('the first good answer after an outage replaces the set whole', async () => {
  const { state, kids } = keyServer()
  await kids('one')
  state.answer = JSON.stringify({ keys: [{ ...KEY, kid: 'two' }] })
  state.seconds += 30
  assert.deepEqual(await kids('two'), ['two'])
})

test('a set that is empty, malformed, too large or has a weak key changes nothing', async () => {
  const bad = [
    '{"keys":[]}',
    '{"keys":1}',
    'not json',
    `{"keys":[],"keys":[]}`,
    JSON.stringify({ keys: [KEY], padding: 'x'.repeat(70_000) }),
    JSON.stringify({ keys: [{ ...KEY, d: 'private' }] }),
  ]
  for (const answer of bad) {
    const { state, kids } = keyServer()
    await kids('one')
    state.answer = answer
    state.seconds += 31
    assert.deepEqual(await kids('two'), ['one'], answer.slice(0, 40))
  }
})

test('without any set the source says so', async () => {
  const { state, kids } = keyServer()
  state.isDown = true
  await assert.rejects(kids('one'), refusal('temporarily_unavailable', 'jwks_unavailable'))
})

test('keys of kinds that we do not know are passed over (RFC 7517 section 5)', async () => {
  const { state, kids } = keyServer()
  state.answer = JSON.stringify({ keys: [{ kty: 'AKP', kid: 'new', alg: 'ML-DSA-44' }, KEY] })
  assert.deepEqual(await kids('one'), ['one'])
})
