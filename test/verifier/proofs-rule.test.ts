import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { createVerifier, type VerifierOptions } from '../../src/verifier/verify.ts'
import { refusal } from '../protocol/forge.ts'
import { signJws, signProof } from '../support/dpop.ts'
import { AGENT_PROOF, published, signer } from './given-call.ts'
import { givenChain, ISSUER, keyOf, NOW, registeredKeys } from './proven-chain.ts'
import { THREE } from './walk.ts'

const CHAIN: AccessTokenClaims = {
  ...givenChain(THREE).claims,
  agent_proof: { ...AGENT_PROOF, key: 'registered' },
}
const URL_HERE = `${CHAIN.aud}/files`

function api(options: Partial<VerifierOptions> = {}) {
  const now = () => new Date(NOW * 1000)
  return createVerifier({
    ...{ issuer: ISSUER, audience: CHAIN.aud, jwks: () => [published], rootKeys: registeredKeys, now },
    ...options,
  })
}

/** The token of the chain in the hands of its last agent. */
async function call(claims: AccessTokenClaims) {
  const token = await signJws(signer, { typ: 'at+jwt', kid: signer.jkt }, { ...claims })
  const { alg, jwk, privateKey } = keyOf('patcher')
  const key = await crypto.subtle.importKey('jwk', privateKey.export({ format: 'jwk' }), ALGORITHM, false, ['sign'])
  const proof = { htm: 'GET', htu: URL_HERE, iat: NOW, accessToken: token }
  const dpop = await signProof({ alg, jwk, jkt: '', privateKey: key }, proof)
  return { authorization: `DPoP ${token}`, dpop, method: 'GET', url: URL_HERE }
}
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' }

test('a rule with proofs gives the chain that the agents signed (protocol.md section 8)', async () => {
  const { chain } = await api().verify(await call(CHAIN), { proofs: true })
  assert.deepEqual(chain, ['agent:app:supervisor', 'agent:app:planner', 'agent:app:patcher'])
  assert.equal((await api().verify(await call(CHAIN))).chain, undefined)
})

test('a chain whose root no registered key signed is denied (protocol.md section 6, Offline)', async () => {
  const none = api({ rootKeys: () => [] })
  await assert.rejects(none.verify(await call(CHAIN), { proofs: true }), refusal('intent_denied', 'proofs_unanchored'))
  await none.verify(await call(CHAIN))
})

test('a token without its proofs is refused where the rule asks for them (protocol.md section 8)', async () => {
  const { delegation_proofs: _, ...bare } = CHAIN
  await assert.rejects(api().verify(await call(bare), { proofs: true }), refusal('invalid_token', 'proofs_chain'))
})
