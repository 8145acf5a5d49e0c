import type { AccessTokenClaims } from '../protocol/claims.ts'
import { OAuthError } from '../protocol/errors.ts'
import { CLOCK_SKEW } from '../protocol/time.ts'
import { tokenRefused } from './refused.ts'
import type { RevocationSource } from './revocation-source.ts'

/** Seconds. */
export type Freshness = { readonly now: number; readonly maxStale: number }

/**
 * Refuses a token that was revoked, and every token where the knowledge is too old to say, or dated where nobody
 * can know yet: in milliseconds, or by a wrong clock (protocol.md sections 8 and 9).
 * Throws `invalid_token`, `revocation_unknown`.
 */
export function checkRevocation(
  source: RevocationSource,
  token: { readonly claims: AccessTokenClaims; readonly kid: string },
  { now, maxStale }: Freshness,
): void {
  const asOf = source.asOf()
  // So written that a number that is none is too old.
  if (!(asOf !== undefined && now - asOf <= maxStale && asOf <= now + CLOCK_SKEW)) {
    throw new OAuthError('revocation_unknown', 'Whether the access token was revoked is not known recently enough.', {
      reason: 'revocation_stale',
    })
  }
  if (source.isRevoked(token)) throw tokenRefused('token_revoked')
}
