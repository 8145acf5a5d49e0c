import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { importPublicJwk, type PublicJwk } from '../../protocol/jwk.ts'
import type { SigningAlg } from '../../protocol/resource.ts'
import type { Sealer } from './sealing.ts'

/** A token key that did not exist before; its private part only sealed. */
export type NewSigningKey = {
  readonly kid: string
  readonly alg: SigningAlg
  readonly public_jwk: PublicJwk
  readonly private_sealed: Buffer
}

/** Makes a key of an algorithm; its `kid` is its RFC 7638 thumbprint. */
export async function newSigningKey(sealer: Sealer, alg: SigningAlg): Promise<NewSigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 })
  const jwk = await exportJWK(pair.publicKey)
  const kid = await calculateJwkThumbprint(jwk, 'sha256')
  const { jwk: public_jwk } = await importPublicJwk({ ...jwk })
  const secret = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)))
  return { kid, alg, public_jwk, private_sealed: sealer.seal(secret, placeOfKey(kid, alg)) }
}

/** The algorithm is part of the place: a sealed key opens for its own row and its own algorithm only. */
export function placeOfKey(kid: string, alg: SigningAlg) {
  return { table: 'signing_key', row: `${kid}|${alg}`, column: 'private_sealed' }
}
