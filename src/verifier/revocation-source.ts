import type { AccessTokenClaims } from '../protocol/claims.ts'

/** What is known of revocations here: the hook for a feed (protocol.md sections 8 and 9). */
export type RevocationSource = {
  /** Epoch seconds up to which the knowledge is complete; undefined for none yet. */
  readonly asOf: () => number | undefined
  /** Whether an entry matches the token; `kid` is of the key that signed it. */
  readonly isRevoked: (token: { readonly claims: AccessTokenClaims; readonly kid: string }) => boolean
}
