import { createPublicKey, type KeyObject } from 'node:crypto'
import type { CompactJws } from './compact-jws.ts'
import { importPublicJwk, type PublicKey } from './jwk.ts'
import { rememberLast } from './remember-last.ts'

/** A checked key with what verifies signatures by it. */
export type ProofKey = PublicKey & { readonly key: KeyObject }

/** Reads and checks the key in the header of a proof. Throws as `importPublicJwk`. */
export type ProofKeys = (jws: CompactJws) => Promise<ProofKey>

/** A longer header is read anew each time, so that what is remembered stays small. */
const MAX_HEADER = 2048
const MAX_KEYS = 1000

export async function importProofKey({ header }: Pick<CompactJws, 'header'>): Promise<ProofKey> {
  return withKeyObject(await importPublicJwk(header.jwk))
}

/** Adds what verifies to a key that was checked. */
export function withKeyObject(key: PublicKey): ProofKey {
  return { ...key, key: createPublicKey({ key: { ...key.jwk }, format: 'jwk' }) }
}

/**
 * `importProofKey` that remembers the keys used last by the very text of the header: what was checked once of the same
 * text would come out the same again. Whether a key may be used here is judged by its thumbprint, each time.
 */
export function rememberProofKeys(max = MAX_KEYS): ProofKeys {
  const known = new Map<string, ProofKey>()
  return async jws => {
    const { encodedHeader } = jws
    const key = known.get(encodedHeader) ?? (await importProofKey(jws))
    if (encodedHeader.length > MAX_HEADER) return key
    rememberLast(known, encodedHeader, key, max)
    return key
  }
}
