import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RevocationSource } from '../../src/verifier/revocation-source.ts'
import type { RouteRule } from '../../src/verifier/route-rule.ts'
import { refusal } from '../protocol/forge.ts'
import { CLAIMS, NOW, request, signer, verifier } from './given-call.ts'

/** Knowledge that is this old; `isRevoked` as told. */
function known(age: number | undefined, isRevoked: RevocationSource['isRevoked'] = () => false): RevocationSource {
  return { asOf: () => (age === undefined ? undefined : NOW - age), isRevoked }
}

async function unknown(revocation: RevocationSource, maxStale?: number, rule?: RouteRule) {
  const api = verifier({ revocation, ...(maxStale !== undefined && { maxStale }) })
  await assert.rejects(api.verify(await request(), rule), refusal('revocation_unknown', 'revocation_stale'))
}

test('a revoked token is refused, and the source is shown claims and kid (protocol.md sections 8 and 9)', async () => {
  const shown: unknown[] = []
  const isRevoked: RevocationSource['isRevoked'] = token => shown.push(token) > 1
  const api = verifier({ revocation: known(0, isRevoked) })
  await api.verify(await request())
  await assert.rejects(api.verify(await request()), refusal('invalid_token', 'token_revoked'))
  assert.deepEqual(shown[0], { claims: CLAIMS, kid: signer.jkt })
})

test('knowledge may be 300 s old, and none is no knowledge: 401 revocation_unknown (protocol.md section 8)', async () => {
  await verifier({ revocation: known(300) }).verify(await request())
  await unknown(known(301))
  await unknown(known(undefined))
  await unknown(known(Number.NaN))
})

test('knowledge of times that are yet to come is none: milliseconds, or a wrong clock (protocol.md section 8)', async () => {
  await verifier({ revocation: known(-10) }).verify(await request())
  await unknown(known(-11))
  await unknown({ asOf: () => (NOW - 1_000_000) * 1000, isRevoked: () => false })
  await unknown(known(Number.NEGATIVE_INFINITY))
})

test('the API, and a route of it, may take less (protocol.md section 8)', async () => {
  const options = { revocation: known(20), maxStale: 30 }
  await verifier(options).verify(await request())
  await verifier(options).verify(await request(), { maxStale: 20 })
  await unknown(known(20), 30, { maxStale: 19 })
  await unknown(known(20), 19)
  await unknown(known(0.5), 300, { maxStale: 0 })
  await verifier({ revocation: known(0) }).verify(await request(), { maxStale: 0 })
})

test('a rule that would take older knowledge than its API is a mistake of its writer (protocol.md section 8)', async () => {
  const call = await request()
  for (const [ofApi, ofRule] of [
    [30, 31],
    [undefined, 301],
  ] as const) {
    const api = verifier({ revocation: known(0), ...(ofApi !== undefined && { maxStale: ofApi }) })
    await assert.rejects(api.verify(call, { maxStale: ofRule }), /^TypeError: .* above that of its verifier\.$/)
    await api.verify(await request(), { maxStale: ofRule - 1 })
  }
})

test('knowledge is judged at each call, also of a token that was taken before', async () => {
  let seconds = NOW
  const revocation = known(0)
  const api = verifier({ revocation, now: () => new Date(seconds * 1000) })
  const claims = { ...CLAIMS, exp: NOW + 900 }
  await api.verify(await request({ claims }))
  seconds += 301
  const call = await request({ claims, proof: { iat: seconds } })
  await assert.rejects(api.verify(call), refusal('revocation_unknown', 'revocation_stale'))
})

test('without knowledge of revocations a token counts until its exp', async () => {
  await verifier().verify(await request())
})
