import type { KeyObject } from 'node:crypto'
import type { SigningAlg } from '../../protocol/resource.ts'
import type { PublicJwk } from '../store/schema.ts'
import type { KeyStanding } from './rotation.ts'

/** A published key as RFC 7517 shows it. */
export type PublishedKey = PublicJwk & { kid: string; alg: SigningAlg; use: 'sig' }

export type Signer = { readonly kid: string; readonly alg: SigningAlg; readonly key: KeyObject }

export type Verifier = { readonly kid: string; readonly alg: SigningAlg; readonly key: CryptoKey }

/** Our token keys, held in memory and read again from the database. */
export type Keyring = {
  /**
   * The key of an algorithm that signs now, by the instants in the database, so that all nodes change together. 503 when
   * the view of the database is too old to know which that is.
   */
  readonly signer: (alg: SigningAlg) => Promise<Signer>
  /** next, active and retiring keys: what the JWKS shows. From memory, also while the database is away. */
  readonly published: () => readonly PublishedKey[]
  /**
   * The published key of this `kid`, to verify our own tokens. Where this node does not know it, the keys are read again,
   * at most once a second: made at another node in an emergency, a key signs at once.
   */
  readonly verifier: (kid: string) => Promise<Verifier | undefined>
  /** The published keys as they were last read: what rotation goes by. */
  readonly standing: () => readonly KeyStanding[]
  /** `kid`s of next keys whose private part does not open with this node's key-encryption keys. */
  readonly unopened: () => readonly string[]
  /** Reads the keys again. */
  readonly refresh: () => Promise<void>
  /** HMAC key of DPoP nonces, the same on every node. */
  readonly dpopNonceKey: Buffer
  /** HMAC key of pagination cursors. */
  readonly cursorKey: Buffer
  /** HMAC key of pairwise workflow names. */
  readonly workflowNamesKey: Buffer
}
