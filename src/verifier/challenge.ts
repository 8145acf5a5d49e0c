import { DPOP_ALGS } from '../protocol/dpop.ts'
import type { OAuthError } from '../protocol/errors.ts'

export type ChallengeOptions = {
  readonly scheme: 'DPoP' | 'Bearer'
  /** URL of the resource's metadata (RFC 9728 section 5.1). */
  readonly resource_metadata?: string
  /** What the request needed (RFC 6750 section 3). */
  readonly scope?: string
}

/** Refusals that another token of more scope would mend; with any other a client would ask for one in vain. */
const NAMES_SCOPE: readonly string[] = ['invalid_token', 'insufficient_scope']

/**
 * The WWW-Authenticate value for a refusal of 401 or 403 (RFC 6750 section 3, RFC 9449 section 7.1). A request that sent
 * no token learns of no error.
 */
export function challenge(error: OAuthError, { scheme, resource_metadata, scope }: ChallengeOptions): string {
  const hadToken = error.reason !== 'token_missing'
  const parameters = [
    ...(hadToken ? [`error="${error.code}"`, `error_description="${quotable(error.message)}"`] : []),
    ...(scope === undefined || !NAMES_SCOPE.includes(error.code) ? [] : [`scope="${quotable(scope)}"`]),
    ...(scheme === 'DPoP' ? [`algs="${DPOP_ALGS.join(' ')}"`] : []),
    ...(resource_metadata === undefined ? [] : [`resource_metadata="${quotable(resource_metadata)}"`]),
  ]
  return parameters.length === 0 ? scheme : `${scheme} ${parameters.join(', ')}`
}

/** The characters that RFC 6750 section 3 allows in these values. */
function quotable(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')
}
