import { type OAuthError, wireError } from '../protocol/errors.ts'

/** Codes that say 400 at the token endpoint and 401 at a resource (RFC 9449 sections 7.1 and 9). */
const UNAUTHORIZED: readonly string[] = ['invalid_dpop_proof', 'use_dpop_nonce']

/** The HTTP status of a refusal at a resource (protocol.md section 8). */
export function resourceStatus(error: OAuthError): number {
  return UNAUTHORIZED.includes(error.code) ? 401 : wireError(error, 'intent').status
}
