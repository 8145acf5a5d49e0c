import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { refusal } from '../protocol/forge.ts'
import { CLAIMS, NOW, request, verifier } from './given-call.ts'

const nonceKey = randomBytes(32)
const DUE = refusal('use_dpop_nonce', 'api_nonce')

/** The nonce that an API answers to a proof without one. */
async function askedFor(options: object = {}): Promise<string> {
  const call = await request()
  return await verifier({ nonceKey, ...options })
    .verify(call)
    .then(
      () => assert.fail('The proof was taken.'),
      (error: unknown) => (error instanceof OAuthError ? (error.details.dpop_nonce ?? '') : ''),
    )
}

test('an API with a nonceKey takes only proofs with its nonce, and says which (RFC 9449 section 9)', async () => {
  await assert.rejects(verifier({ nonceKey }).verify(await request()), DUE)
  const nonce = await askedFor()
  await verifier({ nonceKey }).verify(await request({ proof: { nonce } }))
  const foreign = await askedFor({ nonceKey: randomBytes(32) })
  for (const other of [foreign, `${nonce}x`, 'x']) {
    await assert.rejects(verifier({ nonceKey }).verify(await request({ proof: { nonce: other } })), DUE)
  }
})

test('a nonce is good on every node for this minute and the last two, and not ahead (RFC 9449 section 9)', async () => {
  const nonce = await askedFor()
  const outcome = async (seconds: number) => {
    const now = () => new Date(seconds * 1000)
    const claims = { ...CLAIMS, iat: seconds, exp: seconds + 300 }
    const call = await request({ claims, proof: { nonce, iat: seconds } })
    return await verifier({ nonceKey, now })
      .verify(call)
      .then(
        () => 'taken',
        (error: unknown) => (error instanceof OAuthError ? error.code : error),
      )
  }
  const ages = [0, 120, 180, -60].map(age => outcome(NOW + age))
  assert.deepEqual(await Promise.all(ages), ['taken', 'taken', 'use_dpop_nonce', 'use_dpop_nonce'])
})

test('a proof that lacks the nonce is not used up, and a token without a key needs none', async () => {
  const call = await request()
  await assert.rejects(verifier({ nonceKey }).verify(call), DUE)
  const claimed: string[] = []
  const replayCache = { claim: ({ jti }: { jti: string }) => claimed.push(jti) > 0 }
  await assert.rejects(verifier({ nonceKey, replayCache }).verify(call), DUE)
  assert.deepEqual(claimed, [])
  const { cnf: _, ...unbound } = CLAIMS
  await verifier({ nonceKey }).verify(await request({ scheme: 'Bearer', claims: unbound, proofKey: null }))
})

test('a key of fewer than 32 bytes is no secret', () => {
  assert.throws(() => verifier({ nonceKey: randomBytes(31) }), TypeError)
})
