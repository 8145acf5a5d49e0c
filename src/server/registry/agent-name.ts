import { OAuthError } from '../../protocol/errors.ts'

/** Two ids of one client that differ only in case are refused (protocol.md section 4). */
export function agentIdTaken(): OAuthError {
  return new OAuthError('invalid_request', 'An agent of this client has an id that differs only in case.', {
    reason: 'agent_id_case',
  })
}

/** Names are never given out again (protocol.md section 9). */
export function agentWasRevoked(): OAuthError {
  return new OAuthError('invalid_request', 'The agent was revoked; its agent_id is never given out again.', {
    reason: 'agent_revoked',
  })
}
