import { issueNonce, isValidNonce } from '../protocol/dpop-nonce.ts'
import { OAuthError } from '../protocol/errors.ts'

const KEY_BYTES = 32

/** Throws `TypeError` for a key that could be guessed. */
export function checkNonceKey(key: Uint8Array): void {
  if (key.byteLength < KEY_BYTES) throw new TypeError('The nonceKey must have at least 32 random bytes.')
}

/**
 * Takes only proofs made with a nonce of this API, of this minute or the last two (RFC 9449 section 9): none can be made
 * long ahead. Throws `use_dpop_nonce` with the one to use.
 */
export function checkNonce(key: Uint8Array, nonce: string | undefined, now: number): void {
  if (nonce !== undefined && isValidNonce(key, nonce, now)) return
  throw new OAuthError('use_dpop_nonce', 'Repeat with the DPoP-Nonce of this answer in a new proof.', {
    reason: 'api_nonce',
    dpop_nonce: issueNonce(key, now),
  })
}
