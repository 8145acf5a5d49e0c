import { createPrivateKey } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { importJWK } from 'jose'
import { isJsonObject } from '../../protocol/json.ts'
import { importPublicJwk } from '../../protocol/jwk.ts'
import type { SigningAlg } from '../../protocol/resource.ts'
import type { SigningKeyRow } from '../store/signing-keys.ts'
import type { PublishedKey, Signer, Verifier } from './keyring.ts'
import { placeOfKey } from './new-signing-key.ts'
import type { KeyStanding } from './rotation.ts'
import type { Sealer } from './sealing.ts'

/** A published key of ours in memory; what signs is there of an active and a next one. */
export type OpenKey = KeyStanding & {
  readonly published: PublishedKey
  readonly verifier: Verifier
  readonly signer: Signer | undefined
  /** What it was opened from. */
  readonly stored: Pick<SigningKeyRow, 'public_jwk' | 'private_sealed'>
}

/**
 * Opens one row; `before` is what the same row was when it was last opened. Throws where the private part of an active
 * key does not open. Of a next key that is told by a missing `signer`: others may sign, and this node until then too.
 */
export async function openKey(sealer: Sealer, row: SigningKeyRow, before: OpenKey | undefined): Promise<OpenKey> {
  const { kid, alg, state, active_at, retiring_at, public_jwk, private_sealed } = row
  const stored = { public_jwk, private_sealed }
  const same = before && isDeepStrictEqual(before.stored, stored) ? before : undefined
  const { published, verifier } = same ?? (await openPublic(row))
  const signer = state === 'retiring' ? undefined : (same?.signer ?? (await openPrivate(sealer, row)))
  return { kid, alg, state, active_at, retiring_at, published, verifier, signer, stored }
}

/**
 * Reduced to public members of a kind that we sign with, under its own thumbprint: nothing else can get into the JWKS.
 * Throws otherwise; not an OAuthError, because no caller is at fault.
 */
async function openPublic({ kid, alg, public_jwk }: SigningKeyRow): Promise<Pick<OpenKey, 'published' | 'verifier'>> {
  const { jwk, jkt } = await importPublicJwk({ ...public_jwk }).catch(cause => {
    throw new Error(`The stored public part of the signing key ${kid} is not one.`, { cause })
  })
  if (jkt !== kid) throw new Error(`The stored public part of the signing key ${kid} is another key's.`)
  const key = await importKey(jwk, alg)
  return { published: { ...jwk, kid, alg, use: 'sig' }, verifier: { kid, alg, key } }
}

async function openPrivate(sealer: Sealer, row: SigningKeyRow): Promise<Signer | undefined> {
  try {
    return await readSigner(sealer, row)
  } catch (error) {
    if (row.state === 'next') return undefined
    throw error
  }
}

async function readSigner(sealer: Sealer, { kid, alg, private_sealed }: SigningKeyRow): Promise<Signer> {
  if (!private_sealed) throw new Error(`The active signing key ${kid} has no private part.`)
  const jwk: unknown = JSON.parse(sealer.open(private_sealed, placeOfKey(kid, alg)).toString('utf8'))
  if (!isJsonObject(jwk)) throw new Error(`The signing key ${kid} is not a JWK.`)
  return { kid, alg, key: createPrivateKey({ key: jwk, format: 'jwk' }) }
}

async function importKey(jwk: object, alg: SigningAlg): Promise<CryptoKey> {
  const key = await importJWK({ ...jwk }, alg)
  if (key instanceof Uint8Array) throw new Error('A signing key is not symmetric.')
  return key
}
