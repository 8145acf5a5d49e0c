import type { Insertable } from 'kysely'
import { revocationRefs } from '../store/revocations.ts'
import type { TokenTable } from '../store/schema-token.ts'
import type { Standing } from '../store/standing.ts'
import type { PreparedToken } from './issue.ts'

/** The row a token leaves behind: enough to introspect, revoke and explain it, never the token itself. */
export function recordOf({ permitted, claims, signer, issued_at }: PreparedToken): Insertable<TokenTable> {
  const { agent, client, target, sub, lifetime, token_type } = permitted
  return {
    jti: claims.jti,
    client_id: client.client_id,
    sub,
    resource: target.resource,
    scope: claims.scope,
    token_profile: target.token_profile,
    kid: signer.kid,
    token_type,
    jkt: permitted.jkt ?? null,
    agent_id: agent?.agent_id ?? null,
    registration_id: agent?.registration_id ?? null,
    workflow_id: agent?.workflow?.workflow_id ?? null,
    workflow_version: agent?.workflow?.version ?? null,
    workflow_step: agent?.workflow?.workflow_step ?? null,
    workflow_state: agent?.intent.state ?? 'none',
    execution_id: agent?.intent.execution_id ?? null,
    parent_jti: agent?.delegation?.parent.jti ?? null,
    delegation_id: agent?.delegation?.claims.digest ?? null,
    approval_id: agent?.intent.approval?.id ?? null,
    step_entry: agent?.entry?.judged.entry ?? null,
    initiated_by: agent?.intent.initiated_by ?? null,
    issued_at,
    expires_at: new Date(issued_at.getTime() + lifetime * 1000),
  }
}

/** What the token rests on, each of which may be revoked while it is signed. */
export function standingOf(token: PreparedToken): Standing {
  const { agent, client, jkt, sub, target } = token.permitted
  const agent_id = agent?.agent_id ?? null
  const registration_id = agent?.registration_id ?? null
  return {
    client_id: client.client_id,
    client_updated_at: client.updated_at,
    resource: target.kind === 'registered' ? target.resource : null,
    agent_id,
    registration_id,
    // An endorsed key is bound, and its signer read again, by the write itself.
    agent_jkt: (agent && !agent.endorsement && jkt) || null,
    kid: token.signer.kid,
    // An execution is pinned to its version, and ends with its workflow: only what opens one rests on the newest.
    workflow: agent?.entry && !agent.entry.opening ? null : (agent?.workflow ?? null),
    refs: [
      ...(agent?.endorsement ? [{ kind: 'key' as const, id: agent.endorsement.signer.jkt }] : []),
      ...revocationRefs({
        jti: token.claims.jti,
        client_id: client.client_id,
        sub,
        kid: token.signer.kid,
        jkt: jkt ?? null,
        agent_id,
        registration_id,
        execution_id: agent?.intent.execution_id ?? null,
        initiated_by: agent?.intent.initiated_by ?? null,
      }),
    ],
  }
}
