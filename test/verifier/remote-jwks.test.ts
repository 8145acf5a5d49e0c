import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { remoteJwks } from '../../src/verifier/remote-jwks.ts'
import { refusal } from '../protocol/forge.ts'
import { generateKey } from '../support/dpop.ts'

const { jwk } = await generateKey()
const KEY = { ...jwk, kid: 'one', alg: 'ES256', use: 'sig' }

type KeyServer = {
  seconds: number
  fetches: number
  answer: string
  isDown: boolean
  fault?: Error
  init?: ResponseInit
  asked?: RequestInit
}

/** A server of key sets with a clock: `answer` is what it says next. */
function keyServer() {
  const state: KeyServer = {
    seconds: 1_800_000_000,
    fetches: 0,
    answer: JSON.stringify({ keys: [KEY] }),
    isDown: false,
  }
  const source = remoteJwks('https://idp.example.com/jwks.json', {
    now: () => new Date(state.seconds * 1000),
    fetch: async (_url, asked) => {
      state.fetches += 1
      state.asked = asked
      if (state.isDown) throw state.fault ?? new TypeError('fetch failed')
      return new Response(state.answer, state.init)
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

test('what the last fetch failed of is the cause, and when to ask again the rest of the 30 s (protocol.md section 8)', async () => {
  const { state, kids } = keyServer()
  const outage = async () => {
    try {
      await kids('one')
    } catch (error) {
      if (error instanceof OAuthError) return { cause: error.cause, retry_after: error.details.retry_after }
    }
    return undefined
  }
  state.isDown = true
  state.fault = new TypeError('fetch failed', { cause: new Error('ENOTFOUND') })
  assert.deepEqual(await outage(), { cause: state.fault, retry_after: 30 })
  state.seconds += 12
  assert.deepEqual(await outage(), { cause: state.fault, retry_after: 18 })
  // The first try of an answer that comes but is of no use.
  state.seconds += 18
  state.isDown = false
  state.answer = '{"keys":[]}'
  assert.match(String((await outage())?.cause), /no usable key/)
  state.seconds += 30
  state.answer = JSON.stringify({ keys: [KEY] })
  assert.deepEqual(await kids('one'), ['one'])
  // What was good since is no cause of a later outage.
  state.seconds += 86_401
  state.isDown = true
  state.fault = new TypeError('fetch failed again')
  assert.deepEqual(await outage(), { cause: state.fault, retry_after: 30 })
})

test('keys of kinds that we do not know are passed over (RFC 7517 section 5)', async () => {
  const { state, kids } = keyServer()
  state.answer = JSON.stringify({ keys: [{ kty: 'AKP', kid: 'new', alg: 'ML-DSA-44' }, KEY] })
  assert.deepEqual(await kids('one'), ['one'])
})

test('a set that would be good but for one thing changes nothing (protocol.md section 8)', async () => {
  const TWO = { ...KEY, kid: 'two' }
  const bad: [string, ResponseInit?][] = [
    [JSON.stringify({ keys: [TWO] }), { status: 500 }],
    [`{"keys":[],"keys":[${JSON.stringify(TWO)}]}`],
    [JSON.stringify({ keys: [TWO], padding: 'x'.repeat(70_000) })],
    [JSON.stringify({ keys: [TWO, { ...KEY, kid: 'three', d: 'private' }] })],
  ]
  for (const [answer, init] of bad) {
    const { state, kids } = keyServer()
    await kids('one')
    Object.assign(state, { answer, init })
    state.seconds += 31
    assert.deepEqual(await kids('two'), ['one'], answer.slice(0, 40))
  }
})

test('a fetch follows no redirect and ends in time (protocol.md section 8)', async () => {
  const { state, kids } = keyServer()
  await kids('one')
  assert.equal(state.asked?.redirect, 'error')
  assert.ok(state.asked?.signal instanceof AbortSignal)
})

test('a key that left the set is known for 300 s at most, and none outlives 24 h (protocol.md section 8)', async () => {
  const { state, kids } = keyServer()
  await kids('one')
  state.seconds += 239
  await kids('one')
  assert.equal(state.fetches, 1)
  state.seconds += 1
  await kids('one')
  assert.equal(state.fetches, 2)
  // Waits for the fetch under way.
  await kids('unknown')
  state.answer = JSON.stringify({ keys: [{ ...KEY, kid: 'two' }] })
  state.seconds += 86_401
  assert.deepEqual(await kids('one'), ['two'])
})

test('a clock that is set back keeps no set longer: it is asked for again, and no key that left is known (protocol.md section 8)', async () => {
  for (const back of [1, 86_400]) {
    const { state, kids } = keyServer()
    await kids('one')
    state.seconds -= back
    state.answer = JSON.stringify({ keys: [{ ...KEY, kid: 'two' }] })
    assert.deepEqual(await kids('one'), ['two'])
    assert.equal(state.fetches, 2)
    await kids('two')
    await kids('unknown')
    assert.equal(state.fetches, 2)
  }
})

test('through an outage a set of a time that is more than 24 h ahead is none (protocol.md section 8)', async () => {
  const { state, kids } = keyServer()
  await kids('one')
  state.isDown = true
  state.seconds -= 86_400
  assert.deepEqual(await kids('one'), ['one'])
  state.seconds -= 1
  await assert.rejects(kids('one'), refusal('temporarily_unavailable', 'jwks_unavailable'))
})

test('a slow fetch is not joined by a second one (protocol.md section 8)', async () => {
  const { state, kids } = keyServer()
  const first = kids('one')
  state.seconds += 31
  await Promise.all([first, kids('one')])
  assert.equal(state.fetches, 1)
})

test('a key without a name is passed over', async () => {
  const { state, kids } = keyServer()
  state.answer = JSON.stringify({ keys: [{ ...KEY, kid: '' }, { ...KEY, kid: 'x'.repeat(129) }, KEY] })
  assert.deepEqual(await kids('one'), ['one'])
})
