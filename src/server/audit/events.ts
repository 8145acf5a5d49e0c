import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { insertAuditRow } from '../store/audit.ts'

/*
 * One function an event; nobody else writes audit rows. Call them inside the transaction of what they record. What
 * no caller asked for by name is in ./own-events.ts.
 */

/** Of what an event says nothing about. */
export const NOTHING = { client_id: null, agent_id: null, execution_id: null, jti: null }

/** Where a request came from: joins the log line and the audit row. */
export type Origin = { readonly request_id: string; readonly address: string }

export type TokenEvent = Origin & {
  readonly client_id: string
  readonly agent_id: string | null
  readonly execution_id?: string | null
  readonly details: Readonly<Record<string, unknown>>
}

export async function auditTokenIssued(tx: Context, event: TokenEvent & { jti: string; sub: string }): Promise<void> {
  const { client_id, agent_id, execution_id = null, jti, request_id, address, details } = event
  await insertAuditRow(tx, {
    ...NOTHING,
    action: 'token.issue',
    outcome: 'success',
    reason: null,
    actor: event.sub,
    client_id,
    agent_id,
    execution_id,
    jti,
    request_id,
    address,
    details,
  })
}

export async function auditTokenRefused(tx: Context, event: TokenEvent & { reason: string }): Promise<void> {
  const { client_id, agent_id, execution_id = null, reason, request_id, address, details } = event
  await insertAuditRow(tx, {
    ...NOTHING,
    action: 'token.issue',
    outcome: 'refused',
    reason,
    actor: client_id,
    client_id,
    agent_id,
    execution_id,
    request_id,
    address,
    details,
  })
}

export async function auditTokenRevoked(
  tx: Context,
  event: Origin & { client_id: string; jti: string; revoked: Readonly<Record<string, number>> },
): Promise<void> {
  const { client_id, jti, request_id, address, revoked } = event
  await insertAuditRow(tx, {
    ...NOTHING,
    action: 'token.revoke',
    outcome: 'success',
    reason: null,
    actor: client_id,
    client_id,
    jti,
    request_id,
    address,
    details: { revoked },
  })
}

/** Everything an authenticated caller does or is refused at the registration and admin APIs. */
export type ActEvent = {
  readonly action:
    | 'agent.register'
    | 'agent.batch_register'
    | 'agent.approve'
    | 'agent.grant'
    | 'agent.reject'
    | 'agent.suspend'
    | 'agent.resume'
    | 'agent.retire'
    | 'agent.rollback'
    | 'agent_key.add'
    | 'agent_key.remove'
    | 'workflow.register'
    | 'workflow.batch_register'
    | 'workflow.approve'
    | 'workflow.reject'
    | 'workflow.deregister'
    | 'client.create'
    | 'client.update'
    | 'client.rotate_secret'
    | 'client.delete'
    | 'owner.transfer'
    | 'resource.create'
    | 'resource.update'
    | 'resource.delete'
    | 'revocation.create'
    | 'execution.open'
    | 'refusal.report'
    | 'approval.grant'
    | 'approval.deny'
    | 'webhook.create'
    | 'webhook.delete'
    | 'trusted_issuer.create'
    | 'trusted_issuer.update'
    | 'trusted_issuer.delete'
    | 'shim_release.create'
    | 'shim_release.withdraw'
    | 'key.rotate'
    | 'console.link'
    | 'audit.read'
    | 'console.sign_in'
    | 'console.sign_out'
    | 'read'
    | 'request'
  readonly client_id?: string
  readonly agent_id?: string
  readonly execution_id?: string
  readonly details: Readonly<Record<string, unknown>>
}

export async function auditAct(tx: Context, caller: Caller, event: ActEvent): Promise<void> {
  await insertAuditRow(tx, { ...actRow(caller, event), outcome: 'success', reason: null })
}

export async function auditActRefused(tx: Context, caller: Caller, event: ActEvent, reason: string): Promise<void> {
  await insertAuditRow(tx, { ...actRow(caller, event), outcome: 'refused', reason })
}

function actRow(caller: Caller, event: ActEvent) {
  return {
    ...NOTHING,
    action: event.action,
    actor: caller.sub,
    client_id: event.client_id ?? caller.client_id,
    agent_id: event.agent_id ?? null,
    execution_id: event.execution_id ?? null,
    request_id: caller.request_id,
    address: caller.address,
    details: {
      ...event.details,
      caller: caller.client_id,
      acting_owner: caller.acting_owner,
      ...(caller.via !== undefined && { via: caller.via }),
    },
  }
}
