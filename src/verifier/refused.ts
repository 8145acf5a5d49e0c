import { OAuthError } from '../protocol/errors.ts'

/** The refusals of a resource, one sentence each: which check it was stays in `reason`, which the caller is not told. */

/** 401: the token, or what is known of it. */
export function tokenRefused(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_token', 'The access token is not valid for this request.', { reason, cause })
}

/** 401: the proof, or what it says of this call. */
export function proofRefused(reason: string): OAuthError {
  return new OAuthError('invalid_dpop_proof', 'The DPoP proof is not valid for this request.', { reason })
}

/** 403: a good token of somebody, or of some step, that this route is not for. */
export function intentDenied(reason: string): OAuthError {
  return new OAuthError('intent_denied', 'This route is not open to the agent, step or approval of the access token.', {
    reason,
  })
}

/** 403: more than the token, or the proof of this call, allows. */
export function scopeRefused(reason: string): OAuthError {
  return new OAuthError('insufficient_scope', 'The access token lacks the scope that this call needs.', { reason })
}
