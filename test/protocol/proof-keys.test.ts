import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCompactJws } from '../../src/protocol/compact-jws.ts'
import { verifyDpopProof } from '../../src/protocol/dpop.ts'
import { rememberProofKeys } from '../../src/protocol/proof-keys.ts'
import { forge, refusal, type TestKey, testKey } from './forge.ts'

const NOW = 1_800_000_000
const HTU = 'https://api.example.com/'

function proof(key: TestKey, header: object = {}, jti = 'a'): string {
  const payload = { jti, htm: 'GET', htu: HTU, iat: NOW }
  return forge({ typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk, ...header }, payload, key)
}

test('a key is remembered by the very text of its header, and judged no otherwise for that', async () => {
  const keys = rememberProofKeys()
  const key = testKey('ES256')
  const first = await keys(parseCompactJws(proof(key)))
  assert.equal(await keys(parseCompactJws(proof(key, {}, 'b'))), first)
  const spelled = await keys(parseCompactJws(proof(key, { jwk: { ...key.jwk, use: 'sig' } })))
  assert.notEqual(spelled, first)
  assert.equal(spelled.jkt, first.jkt)
})

test('[attack 6] a remembered key takes no signature by another, and no other header passes for its own', async () => {
  const keys = rememberProofKeys()
  const [key, thief] = [testKey('ES256'), testKey('ES256')]
  const expected = { htm: 'GET', htu: HTU, now: NOW, keys }
  await verifyDpopProof(proof(key), expected)
  const claimed = proof({ ...thief, jwk: key.jwk })
  await assert.rejects(verifyDpopProof(claimed, expected), refusal('invalid_dpop_proof', 'jws_signature'))
  await verifyDpopProof(proof(key), expected)
  for (const header of [{ typ: 'JWT' }, { alg: 'PS256' }, { jwk: { ...key.jwk, d: 'AQ' } }]) {
    await assert.rejects(verifyDpopProof(proof(key, header), expected), refusal('invalid_dpop_proof'))
    await assert.rejects(verifyDpopProof(proof(key, header), expected), refusal('invalid_dpop_proof'))
  }
})

test('at most so many keys are remembered, those used last, and none of a long header', async () => {
  const keys = rememberProofKeys(2)
  const [a, b, c] = [testKey('ES256'), testKey('ES256'), testKey('ES256')].map(key => parseCompactJws(proof(key)))
  assert.ok(a && b && c)
  const kept = await keys(a)
  const dropped = await keys(b)
  await keys(a)
  await keys(c)
  assert.equal(await keys(a), kept)
  assert.notEqual(await keys(b), dropped)
  const long = parseCompactJws(proof(testKey('ES256'), { note: 'x'.repeat(2048) }))
  assert.notEqual(await keys(long), await keys(long))
})
