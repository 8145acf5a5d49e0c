import { OAuthError } from '../../protocol/errors.ts'
import type { Lapse } from '../store/standing.ts'
import { UNKNOWN_TARGET } from './target.ts'

export const SIGNING_KEY_REVOKED = 'signing_key_revoked'
/** By then this node has read its keys, or judges by the new version of the workflow. */
const RETRY_AFTER_SECONDS = 1

/** How the write refuses what was allowed a moment ago; `isAgent` where it was to be an intent token. */
export function lapseRefusal(lapse: Lapse | undefined, isAgent: boolean): OAuthError | undefined {
  switch (lapse) {
    case undefined:
      return undefined
    case 'client_revoked':
      return new OAuthError('invalid_client', 'Client authentication failed.', { reason: lapse })
    case 'client_changed':
      return again('The client was changed since the request began; repeat the request.', lapse)
    case 'resource_deleted':
      return new OAuthError('invalid_target', UNKNOWN_TARGET, { reason: lapse })
    case 'version_not_valid':
      return new OAuthError('agent_checksum_mismatch', 'The checksum is not that of a valid version of the agent.', {
        reason: lapse,
      })
    case 'agent_key_removed':
      return new OAuthError('invalid_dpop_proof', 'A DPoP proof by a registered key of the agent is due.', {
        ajwt_error: 'agent_key_mismatch',
        reason: lapse,
      })
    case 'key_revoked':
      return new OAuthError('invalid_dpop_proof', 'The key of the DPoP proof was revoked; use another.', {
        ...(isAgent && { ajwt_error: 'agent_key_mismatch' }),
        reason: lapse,
      })
    case 'signing_key_revoked':
      return signingKeyRevoked()
    case 'workflow_replaced':
      return workflowReplaced()
    case 'workflow_not_active':
      return new OAuthError('workflow_step_unauthorized', 'The client has no workflow of this workflow_id.', {
        reason: lapse,
      })
    case 'agent_not_active':
    case 'revoked':
    case 'initiator_revoked':
      return isAgent
        ? new OAuthError('unknown_agent', 'What this token would rest on was revoked.', { reason: lapse })
        : new OAuthError('unauthorized_client', 'What this token would rest on was revoked.', { reason: lapse })
  }
}

/** The step was judged by another version of its workflow than the one that counts. */
export function workflowReplaced(): OAuthError {
  return again('The workflow has a new version since the request began; repeat the request.', 'workflow_replaced')
}

/** A key of ours that must not sign any more: the server's trouble, gone with the next request. */
export function signingKeyRevoked(): OAuthError {
  return again('The key that would sign this was revoked; repeat the request.', SIGNING_KEY_REVOKED)
}

function again(description: string, reason: string): OAuthError {
  return new OAuthError('temporarily_unavailable', description, { reason, retry_after: RETRY_AFTER_SECONDS })
}
