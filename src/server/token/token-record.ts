import type { Insertable } from 'kysely'
import { revocationRefs } from '../store/revocations.ts'
import type { TokenTable } from '../store/schema-token.ts'
import type { PreparedToken } from './issue.ts'
import type { Rests } from './known-records.ts'

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

/** What the token rests on, each of which may be revoked or changed while it is written. */
export function standingOf({ permitted, claims, signer }: PreparedToken, rests: Rests): Rests {
  const { agent, client, jkt = null, sub } = permitted
  const { agent_id = null, registration_id = null, endorsement } = agent ?? {}
  const { execution_id = null, initiated_by = null } = agent?.intent ?? {}
  const named = { client_id: client.client_id, agent_id, registration_id, execution_id, initiated_by }
  const refs = [
    ...rests.refs,
    ...(endorsement ? [{ kind: 'key' as const, id: endorsement.signer.jkt }] : []),
    ...revocationRefs({ ...named, jti: claims.jti, sub, kid: signer.kid, jkt }),
  ]
  return { records: rests.records, refs }
}

/** The execution of a token: what is judged behind the lock of its row is written before the next one is judged. */
export function aloneOf({ permitted }: PreparedToken): readonly string[] {
  const { entry } = permitted.agent ?? {}
  const opening = entry?.opening?.opening
  return [
    ...(entry ? [`execution ${entry.execution_id}`] : []),
    ...(opening ? [`opening ${opening.toString('base64url')}`] : []),
  ]
}
