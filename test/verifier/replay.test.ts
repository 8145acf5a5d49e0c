import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryReplayCache } from '../../src/verifier/memory-replay-cache.ts'
import type { ReplayCache } from '../../src/verifier/replay-cache.ts'
import { refusal } from '../protocol/forge.ts'
import { generateKey } from '../support/dpop.ts'
import { agentKey, CLAIMS, NOW, request, verifier } from './given-call.ts'

const REPLAYED = refusal('invalid_dpop_proof', 'dpop_replayed')

/** A clock that stands still unless told. */
function clock() {
  const state = { seconds: NOW }
  return { state, now: () => new Date(state.seconds * 1000) }
}

test('[attack 38] a proof is taken once at a resource, whatever became of its request (RFC 9449 section 11.1)', async () => {
  const api = verifier()
  const call = await request()
  await api.verify(call)
  await assert.rejects(api.verify(call), REPLAYED)
  const tooMuch = await request()
  const rule = { scope: ['admin'] }
  await assert.rejects(api.verify(tooMuch, rule), refusal('insufficient_scope', 'rule_scope'))
  await assert.rejects(api.verify(tooMuch), REPLAYED)
})

test('[attack 38] of 50 uses of one proof at once one is taken (RFC 9449 section 11.1)', async () => {
  const api = verifier()
  const call = await request()
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => api.verify(call)))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('[attack 40] a proof from the edge of the future stays taken at a resource until it is stale', async () => {
  const { state, now } = clock()
  const api = verifier({ now })
  const call = await request({ proof: { iat: NOW + 10 } })
  await api.verify(call)
  // A cache that counts from now would forget it after 60 s; the proof itself is fresh for 70 s.
  for (const step of [60, 5, 5]) {
    state.seconds += step
    await assert.rejects(api.verify(call), REPLAYED)
  }
  state.seconds += 1
  await assert.rejects(api.verify(call), refusal('invalid_dpop_proof', 'dpop_iat'))
})

test('[attack 40] a clock that is set back brings no used proof to life again', async () => {
  const { state, now } = clock()
  const api = verifier({ now })
  const call = await request()
  await api.verify(call)
  state.seconds += 61
  await api.verify(await request({ proof: { iat: NOW + 61 } }))
  state.seconds -= 5
  await assert.rejects(api.verify(call), REPLAYED)
})

test('[attack 40] however far a clock is set back, what was forgotten is not taken again', () => {
  const { state, now } = clock()
  const cache = memoryReplayCache({ now })
  const proof = (jti: string, expires_at: number) => ({ jkt: 'k', jti, iat: expires_at - 60, expires_at })
  assert.equal(cache.claim(proof('victim', NOW + 60)), true)
  assert.equal(cache.claim(proof('other', NOW + 50)), true)
  state.seconds = NOW + 71
  assert.equal(cache.claim(proof('later', NOW + 131)), true)
  state.seconds = NOW + 30
  assert.equal(cache.claim(proof('victim', NOW + 60)), false)
  // Of times of which nothing was forgotten proofs are taken as ever.
  assert.equal(cache.claim(proof('new', NOW + 61)), true)
})

test('[attack 41] a jti burnt under another key is free for this one at a resource (key is jkt and jti)', async () => {
  const api = verifier()
  const thief = await generateKey()
  const proof = { jti: 'the-jti-of-the-victim' }
  await api.verify(await request({ proofKey: thief, claims: { ...CLAIMS, cnf: { jkt: thief.jkt } }, proof }))
  await api.verify(await request({ proof }))
})

test('[attack 41] a proof that is not by the key of the token burns nothing', async () => {
  const api = verifier()
  const proof = { jti: 'the-jti-of-the-victim' }
  const forged = await request({ proofKey: await generateKey(), proof })
  await assert.rejects(api.verify(forged), refusal('invalid_token', 'proof_by_another_key'))
  await api.verify(await request({ proof }))
})

test('a cache that fails refuses with 503, and one that does not say "first" refuses (protocol.md section 8)', async () => {
  const down: ReplayCache = { claim: () => Promise.reject(new Error('connection refused')) }
  await assert.rejects(verifier({ replayCache: down }).verify(await request()), error => {
    assert.ok(refusal('temporarily_unavailable', 'replay_cache_unavailable')(error))
    assert.ok(error instanceof Error && 'details' in error)
    assert.match(JSON.stringify(error.details), /"status":503/)
    return true
  })
  await assert.rejects(verifier({ replayCache: { claim: () => false } }).verify(await request()), REPLAYED)
})

test('the caller may claim proofs itself, and is told what to claim', async () => {
  const api = verifier({ replayCache: 'caller' })
  const call = await request({ proof: { jti: 'once' } })
  await api.verify(call)
  const { proof } = await api.verify(call)
  assert.deepEqual(proof, { jti: 'once', jkt: agentKey.jkt, iat: NOW, expires_at: NOW + 60 })
})

test('memory that is full of live proofs refuses more, and forgets none (protocol.md section 8)', () => {
  const { state, now } = clock()
  const cache = memoryReplayCache({ max: 3, now })
  const claim = (jti: string) => cache.claim({ jkt: 'k', jti, iat: state.seconds, expires_at: state.seconds + 60 })
  for (const jti of ['a', 'b', 'c']) assert.equal(claim(jti), true)
  assert.throws(() => claim('d'), /full/)
  assert.equal(claim('a'), false)
  state.seconds += 70
  assert.throws(() => claim('d'), /full/)
  state.seconds += 1
  assert.equal(claim('d'), true)
  assert.equal(claim('a'), true)
})
