import type { JWK } from 'jose'
import type { KeyStore } from './key-store.ts'

/** Holds a private key as long as the process lives: one that was read from elsewhere, else none yet. */
export function memoryKeyStore(jwk?: JWK): KeyStore {
  let stored = jwk
  return {
    load: async () => stored,
    async save(made) {
      stored ??= made
    },
  }
}
