import { OAuthError } from '../../protocol/errors.ts'
import type { RevocationRef } from '../store/revocations.ts'

/** By then this node has read its keys, or judges by the new version of the workflow. */
const RETRY_AFTER_SECONDS = 1

/** How the write refuses what rests on something revoked; `isAgent` where it was to be an intent token. */
export function lapseRefusal(
  revoked: RevocationRef | undefined,
  kid: string,
  isAgent: boolean,
): OAuthError | undefined {
  if (!revoked) return undefined
  if (revoked.kind === 'key') {
    // A key of ours is the server's trouble and not the caller's.
    if (revoked.id === kid) return signingKeyRevoked()
    return new OAuthError('invalid_dpop_proof', 'The key of the DPoP proof was revoked; use another.', {
      ...(isAgent && { ajwt_error: 'agent_key_mismatch' }),
      reason: 'key_revoked',
    })
  }
  const reason = revoked.kind === 'initiator' ? 'initiator_revoked' : 'revoked'
  return isAgent
    ? new OAuthError('unknown_agent', 'What this token would rest on was revoked.', { reason })
    : new OAuthError('unauthorized_client', 'What this token would rest on was revoked.', { reason })
}

/** A record that changes with every reading: somebody works at it now. */
export function changedTooOften(): OAuthError {
  return again('What this token would rest on is being changed; repeat the request.', 'record_changed')
}

/** A key of ours that must not sign any more: the server's trouble, gone with the next request. */
export function signingKeyRevoked(): OAuthError {
  return again('The key that would sign this was revoked; repeat the request.', 'signing_key_revoked')
}

function again(description: string, reason: string): OAuthError {
  return new OAuthError('temporarily_unavailable', description, { reason, retry_after: RETRY_AFTER_SECONDS })
}
