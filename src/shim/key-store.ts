import type { JWK } from 'jose'

/** Where a registered private key of one agent rests. `load` answers undefined where there is none yet. */
export type KeyStore = {
  readonly load: () => Promise<JWK | undefined>
  readonly save: (jwk: JWK) => Promise<void>
}
