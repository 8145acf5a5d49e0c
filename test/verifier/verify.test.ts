import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VerifierOptions } from '../../src/verifier/verify.ts'
import { refusal } from '../protocol/forge.ts'
import { generateKey } from '../support/dpop.ts'
import {
  AUDIENCE,
  agentKey,
  CLAIMS,
  DRAFT_CLAIMS,
  DRAFT_HEADER,
  HEADER,
  ISSUER,
  NOW,
  published,
  request,
  type Sent,
  signer,
  URL_HERE,
  verifier,
} from './given-call.ts'

async function refused(sent: Sent, reason: string, options: Partial<VerifierOptions> = {}) {
  const given = await request(sent)
  const code = reason.startsWith('dpop_') ? 'invalid_dpop_proof' : 'invalid_token'
  await assert.rejects(verifier(options).verify(given), refusal(code, reason), reason)
}

test('a bound token with its proof is taken, and says what to claim (protocol.md section 8)', async () => {
  const { claims, token_type, kid, proof } = await verifier().verify(await request())
  assert.deepEqual(claims, CLAIMS)
  assert.equal(token_type, 'DPoP')
  assert.equal(kid, signer.jkt)
  assert.deepEqual({ ...proof, jti: '' }, { jti: '', jkt: agentKey.jkt, iat: NOW, expires_at: NOW + 60 })
})

test('an unbound token is taken as Bearer, and only so (RFC 6750 section 2.1, RFC 9449 section 7.1)', async () => {
  const { cnf: _, ...claims } = CLAIMS
  const { token_type, proof } = await verifier().verify(await request({ scheme: 'bearer', claims, proofKey: null }))
  assert.deepEqual([token_type, proof], ['Bearer', undefined])
  await refused({ claims }, 'token_not_bound')
})

test('no Authorization header, or another scheme (RFC 6750 section 3)', async () => {
  const at = { method: 'GET', url: URL_HERE }
  await assert.rejects(verifier().verify(at), refusal('invalid_token', 'token_missing'))
  for (const authorization of ['Basic YTpi', 'DPoP', 'DPoP a b', 'DPoP a,b', '']) {
    await assert.rejects(verifier().verify({ ...at, authorization }), refusal('invalid_token', 'token_malformed'))
  }
  const { authorization, ...rest } = await request()
  for (const around of [`Basic ${authorization}`, `x${authorization}`, `${authorization}, DPoP b`]) {
    const hostile = { ...rest, authorization: around }
    await assert.rejects(verifier().verify(hostile), refusal('invalid_token', 'token_malformed'))
  }
})

test('[attack 1, 3, 4] the key comes from our set by kid, the algorithm from the key (RFC 8725 section 3.1)', async () => {
  const stranger = await generateKey()
  await refused({ key: stranger }, 'jws_signature')
  await refused({ header: { ...HEADER, kid: 'unknown' } }, 'token_kid')
  await refused({ header: { typ: 'at+jwt' } }, 'token_kid')
  await refused({}, 'token_alg', { algorithms: ['EdDSA'] })
  await refused({}, 'token_alg', { jwks: () => [{ ...published, alg: 'EdDSA' }] })
  await refused({}, 'token_kid', { jwks: () => [] })
  const { authorization, ...rest } = await request()
  const [, payload, signature] = authorization.split(' ')[1]?.split('.') ?? []
  const none = Buffer.from(JSON.stringify({ ...HEADER, alg: 'none' })).toString('base64url')
  const hostile = { ...rest, authorization: `DPoP ${none}.${payload}.${signature}` }
  await assert.rejects(verifier().verify(hostile), refusal('invalid_token', 'token_alg'))
})

test('[attack 12] typ at+jwt for interop, JWT for draft only, nothing else (RFC 9068 section 4)', async () => {
  for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt']) {
    await verifier().verify(await request({ header: { ...HEADER, typ } }))
  }
  await refused({ header: { ...HEADER, typ: 'dpop+jwt' } }, 'jws_typ')
  await refused({ header: { kid: signer.jkt } }, 'jws_typ')
  await refused({ header: DRAFT_HEADER }, 'token_profile')
  await refused({ claims: DRAFT_CLAIMS }, 'token_profile')
  await refused({ claims: { ...CLAIMS, cnf: DRAFT_CLAIMS.cnf } }, 'token_profile')
})

test('[attack 16, 17] iss and aud are exact strings; an array is refused (RFC 9068 section 4)', async () => {
  await refused({ claims: { ...CLAIMS, iss: `${ISSUER}/` } }, 'token_iss')
  await refused({ claims: { ...CLAIMS, iss: [ISSUER] } }, 'token_claims')
  await refused({ claims: { ...CLAIMS, aud: `${AUDIENCE}/` } }, 'token_aud')
  await refused({ claims: { ...CLAIMS, aud: [AUDIENCE] } }, 'token_claims')
  const { aud: _, ...noAudience } = CLAIMS
  await refused({ claims: noAudience }, 'token_claims')
})

test('[attack 15] times are integers, at most 900 s apart, judged with 5 s of skew (protocol.md section 3)', async () => {
  const at = (claims: object) => ({ claims: { ...CLAIMS, ...claims } })
  await verifier().verify(await request(at({ iat: NOW - 300, exp: NOW - 4 })))
  await refused(at({ iat: NOW - 300, exp: NOW - 5 }), 'exp_passed')
  await verifier().verify(await request(at({ iat: NOW + 5 })))
  await refused(at({ iat: NOW + 6, exp: NOW + 300 }), 'iat_future')
  await refused(at({ nbf: NOW + 6 }), 'nbf_future')
  await verifier().verify(await request(at({ exp: NOW + 900 })))
  await refused(at({ exp: NOW + 901 }), 'lifetime_too_long')
  for (const claims of [
    { exp: `${NOW + 300}` },
    { exp: NOW + 0.5 },
    { iat: null },
    { nbf: 'soon' },
    { exp: undefined },
  ]) {
    await refused(at(claims), 'token_claims')
  }
})

test('intent and agent_proof of wrong types are refused (protocol.md section 8)', async () => {
  const intent = {
    executed_by: 'worker',
    delegation_chain: '0123456789abcdef',
    step_sequence_hash: '0123456789abcdef',
    state: 'none',
    chain_commitment: 'x',
    initiated_by: 'agent:patcher-app:worker',
  }
  const { claims } = await verifier().verify(await request({ claims: { ...CLAIMS, intent } }))
  assert.deepEqual(claims.intent, intent)
  await refused({ claims: { ...CLAIMS, intent: { ...intent, state: 'trusted' } } }, 'token_claims')
  await refused({ claims: { ...CLAIMS, intent: 'none' } }, 'token_claims')
  await refused({ claims: { ...CLAIMS, agent_proof: { agent_checksum: 'sha256:xyz' } } }, 'token_claims')
})

test('a token of another issuer, API or time is refused as such, whatever else is in it (protocol.md section 8)', async () => {
  const intent = 'none'
  const broken = { ...CLAIMS, intent, sub_profile: 'somebody', scope: 7 }
  await refused({ claims: { ...broken, iss: `${ISSUER}/` } }, 'token_iss')
  await refused({ claims: { ...broken, aud: `${AUDIENCE}/` } }, 'token_aud')
  await refused({ claims: { ...broken, iat: NOW - 300, exp: NOW - 5 } }, 'exp_passed')
  await refused({ claims: broken }, 'token_claims')
  // Judged so each time, also where the signature is known to hold.
  const api = verifier()
  const { authorization, ...rest } = await request({ claims: { ...CLAIMS, intent } })
  for (let n = 0; n < 2; n += 1) {
    await assert.rejects(api.verify({ ...rest, authorization }), refusal('invalid_token', 'token_claims'))
  }
  await refused({ header: DRAFT_HEADER, claims: { ...CLAIMS, aud: `${AUDIENCE}/` } }, 'token_aud')
})

test('[attack 54] a deep act is refused', async () => {
  const act = (depth: number): object => (depth === 1 ? { sub: 'a' } : { sub: 'a', act: act(depth - 1) })
  await verifier().verify(await request({ claims: { ...CLAIMS, act: act(8) } }))
  await refused({ claims: { ...CLAIMS, act: act(9) } }, 'token_act_depth')
})

test('[attack 46] possession is due whenever cnf is there (RFC 9449 section 7.1)', async () => {
  await refused({ scheme: 'Bearer' }, 'bound_token_as_bearer')
  await refused({ proofKey: null }, 'proof_missing')
  await refused({ proofKey: await generateKey() }, 'proof_by_another_key')
  await refused({ claims: { ...CLAIMS, cnf: { jkt: agentKey.jkt, jwk: agentKey.jwk } } }, 'token_claims')
  await refused({ claims: { ...CLAIMS, cnf: {} } }, 'token_claims')
})

test('[attack 33, 34, 35, 37] the proof is of this method, URL, token and time (RFC 9449 section 4.3)', async () => {
  await refused({ proof: { htm: 'POST' } }, 'dpop_htm')
  await refused({ proof: { htu: `${URL_HERE}/` } }, 'dpop_htu')
  await refused({ proof: { accessToken: 'another' } }, 'dpop_ath')
  await refused({ proof: { accessToken: undefined } }, 'dpop_ath')
  await refused({ proof: { iat: NOW - 61 } }, 'dpop_iat')
})

test('a draft token comes as Bearer or DPoP, always with a proof by cnf.jwk (protocol.md section 8)', async () => {
  const draft = { header: DRAFT_HEADER, claims: DRAFT_CLAIMS }
  for (const scheme of ['Bearer', 'DPoP']) {
    const { token_type, proof } = await verifier().verify(await request({ ...draft, scheme }))
    assert.deepEqual([token_type, proof?.jkt], ['DPoP', agentKey.jkt])
    await refused({ ...draft, scheme, proofKey: null }, 'proof_missing')
  }
  await refused({ ...draft, proofKey: await generateKey() }, 'proof_by_another_key')
  await refused({ ...draft, claims: { ...DRAFT_CLAIMS, cnf: { jwk: { kty: 'oct', k: 'AAAA' } } } }, 'private_key_sent')
})

test('only draftPossession "optional" lifts the proof of a draft token, and a sent proof still counts', async () => {
  const options = { draftPossession: 'optional' } as const
  const draft = { header: DRAFT_HEADER, claims: DRAFT_CLAIMS }
  const { token_type } = await verifier(options).verify(await request({ ...draft, scheme: 'Bearer', proofKey: null }))
  assert.equal(token_type, 'Bearer')
  await refused({ ...draft, proofKey: await generateKey() }, 'proof_by_another_key', options)
  await refused({ proofKey: null }, 'proof_missing', options)
})
