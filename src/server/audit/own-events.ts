import type { Context } from '../context.ts'
import { type AuditWriter, insertAuditRow } from '../store/audit.ts'
import { NOTHING, type Origin } from './events.ts'
import type { LimitedRequest } from './limited.ts'
import type { UnauthenticatedRefusal } from './unauthenticated.ts'

/*
 * Events of the server itself: nobody was authenticated for them, or many requests are one row.
 */

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
