import type { KeyObject } from 'node:crypto'
import type { AccessTokenClaims } from '../protocol/claims.ts'
import type { CompactJws } from '../protocol/compact-jws.ts'
import { sha256Base64url } from '../protocol/digest.ts'

/** What every token says of itself: for whom, of whom, and when. */
export type TokenFrame = Pick<AccessTokenClaims, 'iss' | 'aud' | 'client_id' | 'exp' | 'iat' | 'jti'>

/** A token whose signature held with this key, as it was read; nobody can change it any more. */
export type SignedToken = {
  readonly jws: Pick<CompactJws, 'header' | 'payload'>
  readonly frame: TokenFrame
  /** Undefined where they are none of ours, beyond the frame. */
  readonly claims: AccessTokenClaims | undefined
  readonly key: KeyObject
  readonly kid: string
}

/**
 * Remembers that the signature of a token held, by the digest of all of its text, for the tokens that came last: an agent
 * shows one token for minutes. Nothing else is remembered: key, times, audience and revocation are judged at each call
 * (attacks.md 18).
 */
export function rememberSignedTokens(max = 1000) {
  const known = new Map<string, SignedToken>()
  return {
    find: (token: string): SignedToken | undefined => known.get(sha256Base64url(token)),
    keep(token: string, read: SignedToken): SignedToken {
      const { header, payload } = read.jws
      const kept = { ...read, jws: { header, payload } }
      // Whoever is handed the claims of one call must not change those of the next.
      for (const value of [payload, read.claims]) freeze(value)
      known.set(sha256Base64url(token), kept)
      const [oldest] = known.keys()
      if (known.size > max && oldest !== undefined) known.delete(oldest)
      return kept
    },
  }
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const member of Object.values(value)) freeze(member)
  Object.freeze(value)
}
