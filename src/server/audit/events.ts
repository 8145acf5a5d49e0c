import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type AuditWriter, insertAuditRow } from '../store/audit.ts'
import type { LimitedRequest } from './limited.ts'
import type { UnauthenticatedRefusal } from './unauthenticated.ts'

/*
 * One function an event; nobody else writes audit rows. Call them inside the transaction of what they record.
 */

const NOTHING = { client_id: null, agent_id: null, execution_id: null, jti: null }

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

/** Requests that nobody was authenticated for: one row a second for all of them, never one a request. */
export async function auditUnauthenticated(
  ctx: Context,
  counts: readonly (UnauthenticatedRefusal & { n: number })[],
): Promise<void> {
  await insertAuditRow(ctx, {
    ...NOTHING,
    action: 'request.refuse',
    outcome: 'refused',
    reason: 'unauthenticated',
    actor: 'unauthenticated',
    request_id: '',
    address: null,
    details: { counts },
  })
}

/** Requests of a client beyond its rate: one row a second for all of them, never one a request. */
export async function auditLimited(
  ctx: Context,
  client_id: string,
  limited: readonly (LimitedRequest & { n: number })[],
): Promise<void> {
  await insertAuditRow(ctx, {
    ...NOTHING,
    action: 'request.refuse',
    outcome: 'refused',
    reason: 'client_rate',
    actor: client_id,
    client_id,
    request_id: '',
    address: null,
    details: { counts: limited.map(({ endpoint, address, n }) => ({ endpoint, address, n })) },
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

export async function auditBootstrap(tx: Context, origin: Origin, client_id: string, owner: string): Promise<void> {
  await insertAuditRow(tx, {
    ...NOTHING,
    action: 'bootstrap',
    outcome: 'success',
    reason: null,
    actor: owner,
    client_id,
    request_id: origin.request_id,
    address: origin.address,
    details: {},
  })
}

/** The beginning of an epoch: what was used and revoked between the two instants is not known. */
export async function auditRestore(
  tx: AuditWriter,
  restore: { backup_created_at: string; not_before: string },
): Promise<void> {
  await insertAuditRow(tx, {
    ...NOTHING,
    action: 'admin.restore',
    outcome: 'success',
    reason: null,
    actor: 'restore',
    request_id: tx.timeId(),
    address: null,
    details: restore,
  })
}

/** The administration taken back from the host itself: nobody was authenticated but the holder of database and key. */
export async function auditRecovery(
  tx: Context,
  recovery: { client_id: string; owner: string; witness: string | null; revoked: readonly string[] },
): Promise<void> {
  const { client_id, owner, witness, revoked } = recovery
  await insertAuditRow(tx, {
    ...NOTHING,
    action: 'admin.recover',
    outcome: 'success',
    reason: null,
    actor: owner,
    client_id,
    request_id: tx.timeId(),
    address: null,
    details: { owner, witness, revoked },
  })
}

/** What time did to a token key of ours, at whichever node noticed first. */
export async function auditKeyChange(
  tx: Context,
  action: 'key.rotate' | 'key.activate' | 'key.retire',
  details: Readonly<Record<string, unknown>>,
): Promise<void> {
  await insertAuditRow(tx, {
    ...NOTHING,
    action,
    outcome: 'success',
    reason: null,
    actor: 'schedule',
    request_id: tx.timeId(),
    address: null,
    details,
  })
}

/** A receiver said that it is gone for good; nobody of ours did it. */
export async function auditWebhookGone(tx: Context, webhook_id: string): Promise<void> {
  await insertAuditRow(tx, {
    ...NOTHING,
    action: 'webhook.gone',
    outcome: 'success',
    reason: null,
    actor: 'receiver',
    request_id: tx.timeId(),
    address: null,
    details: { webhook_id },
  })
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
