import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal } from '../protocol/forge.ts'
import { generateKey, signJws, signProof } from '../support/dpop.ts'
import { AUDIENCE, agentKey, CLAIMS, HEADER, ISSUER, NOW, published, signer, URL_HERE, verifier } from './given-call.ts'

const token = await signJws(signer, HEADER, CLAIMS)

/** A fresh call with a token as it is. */
async function presented(access_token: string, iat = NOW) {
  const dpop = await signProof(agentKey, { htm: 'GET', htu: URL_HERE, iat, accessToken: access_token })
  return { authorization: `DPoP ${access_token}`, dpop, method: 'GET', url: URL_HERE }
}

/** A verifier that has seen the token, by a clock and keys of the test. */
async function given() {
  const state = { now: NOW, keys: [published], isRevoked: false }
  const revocation = { asOf: () => state.now, isRevoked: () => state.isRevoked }
  const now = () => new Date(state.now * 1000)
  const { verify } = verifier({ jwks: () => state.keys, now, revocation })
  const call = async () => await verify(await presented(token, state.now))
  const first = await call()
  return { state, verify, call, first }
}

test('[attack 18] a token whose signature is remembered ends all the same', async () => {
  const { state, call } = await given()
  state.now = NOW + 304
  await call()
  state.now = NOW + 306
  await assert.rejects(call(), refusal('invalid_token', 'exp_passed'))
})

test('[attack 18] a revocation is heard for a token that was taken before', async () => {
  const { state, call } = await given()
  await call()
  state.isRevoked = true
  await assert.rejects(call(), refusal('invalid_token', 'token_revoked'))
})

test('[attack 18] a key that left the set, or another key under its name, is not remembered', async () => {
  const { state, call } = await given()
  state.keys = []
  await assert.rejects(call(), refusal('invalid_token', 'token_kid'))
  const other = await generateKey()
  state.keys = [{ ...published, ...other.jwk }]
  await assert.rejects(call(), refusal('invalid_token', 'jws_signature'))
  state.keys = [{ ...published }]
  await call()
})

test('[attack 18] another text is another token: one character of claims or signature is not remembered', async () => {
  const { verify } = await given()
  const [header, payload = '', signature = ''] = token.split('.')
  const richer = Buffer.from(JSON.stringify({ ...CLAIMS, scope: 'read write admin' })).toString('base64url')
  const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
  for (const forged of [`${header}.${richer}.${signature}`, `${header}.${payload}.${flipped}`]) {
    const call = verify(await presented(forged))
    await assert.rejects(call, refusal('invalid_token', 'jws_signature'))
  }
})

test('[attack 18] who is handed the claims of one call cannot change those of the next', async () => {
  const { call, first } = await given()
  assert.throws(() => Object.assign(first.claims, { scope: 'read write admin' }), TypeError)
  assert.throws(() => Object.assign(first.claims.cnf ?? {}, { jkt: 'other' }), TypeError)
  assert.throws(() => Object.assign(first, { claims: {} }), TypeError)
  assert.throws(() => Object.assign(first.scope, ['admin']), TypeError)
  const { claims, scope } = await call()
  assert.deepEqual([claims, scope], [CLAIMS, ['read', 'write']])
})

test('[attack 18] what one verifier remembers is not taken by another, of another issuer or API', async () => {
  await given()
  const call = await presented(token)
  const elsewhere = verifier({ audience: 'https://other.example.com' })
  await assert.rejects(elsewhere.verify(call), refusal('invalid_token', 'token_aud'))
  const abroad = verifier({ issuer: 'https://other.example.com' })
  await assert.rejects(abroad.verify(call), refusal('invalid_token', 'token_iss'))
  assert.deepEqual([CLAIMS.aud, CLAIMS.iss], [AUDIENCE, ISSUER])
})
