import type { AccessTokenClaims } from '../../protocol/claims.ts'
import { MAX_PROOFS } from '../../protocol/delegation.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { SigningAlg } from '../../protocol/resource.ts'
import type { Permitted } from './authorization.ts'

/** protocol.md section 7: larger tokens break header limits on their way. */
const MAX_TOKEN_BYTES = 4096
const MAX_TOKEN_BYTES_WITH_PROOFS = 8192
/** Of a signature in base64url: 64 bytes, or those of an RSA key of 2048 bits. */
const SIGNATURE_LENGTH: Readonly<Record<SigningAlg, number>> = { ES256: 86, EdDSA: 86, PS256: 342, RS256: 342 }

/**
 * Whether a token may go to its API as that wants it: not too large, and under `chain_disclosure: proofs` with hops
 * that can be shown: at most 3, all signed by registered keys, and the last one to a registered key (section 6,
 * Offline). Throws `invalid_target`.
 */
export function checkTokenSize({ agent, target }: Permitted, header: object, claims: AccessTokenClaims): void {
  const proofs = claims.delegation_proofs
  if (proofs && proofs.length > MAX_PROOFS)
    throw tooLarge('The chain has more hops than a token shows proofs of.', 'too_many_proofs')
  if (proofs && !agent?.delegation?.registered_keys) {
    throw endorsed('The API asks for proofs by registered keys; one of the chain is endorsed.', 'proof_by_endorsed_key')
  }
  // Its key signed nothing yet, but it is the one that the last assertion names.
  if (proofs && agent?.key !== 'registered') {
    throw endorsed(
      'The API asks for proofs by registered keys; that of the agent is endorsed.',
      'proof_for_endorsed_key',
    )
  }
  const parts = [encodedLength(header), encodedLength(claims), SIGNATURE_LENGTH[target.signing_alg]]
  const bytes = parts.reduce((sum, part) => sum + part) + 2
  if (bytes <= (proofs ? MAX_TOKEN_BYTES_WITH_PROOFS : MAX_TOKEN_BYTES)) return
  throw tooLarge('The token would be too large; ask for fewer scopes.', 'token_too_large')
}

/** base64url without padding is 4/3 of what it encodes. */
function encodedLength(part: object): number {
  return Math.ceil((Buffer.byteLength(JSON.stringify(part)) * 4) / 3)
}

function endorsed(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_target', description, { reason })
}

function tooLarge(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_target', description, { ajwt_error: 'token_too_large', reason })
}
