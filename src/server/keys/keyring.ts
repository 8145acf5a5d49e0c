import type { SigningAlg } from '../../protocol/resource.ts'
import type { PublicJwk } from '../store/schema.ts'

/** A published key as RFC 7517 shows it. */
export type PublishedKey = PublicJwk & { kid: string; alg: SigningAlg; use: 'sig' }

export type Signer = { readonly kid: string; readonly alg: SigningAlg; readonly key: CryptoKey }

export type Verifier = { readonly kid: string; readonly alg: SigningAlg; readonly key: CryptoKey }

/** Our token keys, held in memory and read again from the database. */
export type Keyring = {
  /** The one active key of an algorithm. 503 when the view of the database is too old to know which that is. */
  readonly signer: (alg: SigningAlg) => Promise<Signer>
  /** next, active and retiring keys: what the JWKS shows. From memory, also while the database is away. */
  readonly published: () => readonly PublishedKey[]
  /**
   * The published key of this `kid`, to verify our own tokens. Where this node does not know it, the keys are read again,
   * at most once a second: made at another node in an emergency, a key signs at once.
   */
  readonly verifier: (kid: string) => Promise<Verifier | undefined>
  /** Reads the keys again. */
  readonly refresh: () => Promise<void>
  /** HMAC key of DPoP nonces, the same on every node. */
  readonly dpopNonceKey: Buffer
  /** HMAC key of pagination cursors. */
  readonly cursorKey: Buffer
  /** HMAC key of pairwise workflow names. */
  readonly workflowNamesKey: Buffer
}
