import type { Context } from '../context.ts'
import type { AgentName } from './agent-lists.ts'
import type { RegistrationRow } from './registrations.ts'

/** @returns false on any conflict: the same content is live (registration_live_checksum), or the id is taken */
export async function insertRegistration(
  tx: Context,
  row: RegistrationRow & { components_sealed: Buffer },
): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('registration')
    .values({
      ...row,
      proposed_grant: row.proposed_grant === null ? null : JSON.stringify(row.proposed_grant),
      proposed_keys: row.proposed_keys === null ? null : JSON.stringify(row.proposed_keys),
      pending_for: JSON.stringify(row.pending_for),
    })
    .onConflict(conflict => conflict.doNothing())
    .returning('registration_id')
    .executeTakeFirst()
  return inserted !== undefined
}

/**
 * Makes room for a new active version: the one that counts drains for `drain_seconds`, or ends where that is 0; what
 * waits below it ends. Older ones that drain keep their own time (protocol.md section 4).
 */
export async function supersede(
  tx: Context,
  agent: AgentName,
  version: number,
  drain_seconds: number,
  now: Date,
): Promise<void> {
  if (drain_seconds > 0) {
    await olderVersions(tx, agent, version)
      .set({ status: 'draining', drains_until: new Date(now.getTime() + drain_seconds * 1000) })
      .where('status', '=', 'active')
      .execute()
  }
  await olderVersions(tx, agent, version)
    .set({ status: 'retired', proposed_grant: null, proposed_keys: null })
    .where('status', 'in', ['active', 'pending'])
    .execute()
}

/** A version whose drain is over is retired, so that its content may be registered again (registration_live_checksum). */
export async function retireDrained(tx: Context, { client_id, agent_id }: AgentName, now: Date): Promise<void> {
  await tx.db
    .updateTable('registration')
    .set({ status: 'retired' })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('status', '=', 'draining')
    .where('drains_until', '<=', now)
    .execute()
}

/**
 * A pending version becomes the active one; `supersede` the older ones first (index registration_one_active).
 * @returns false where it is not pending any more, because it was revoked meanwhile
 */
export async function activateRegistration(
  tx: Context,
  registration_id: string,
  approval?: { approved_at: Date; approved_by: string },
): Promise<boolean> {
  const activated = await tx.db
    .updateTable('registration')
    .set({ status: 'active', ...approval })
    .where('registration_id', '=', registration_id)
    .where('status', '=', 'pending')
    .returning('registration_id')
    .executeTakeFirst()
  return activated !== undefined
}

/** Revoked is final (protocol.md section 9). */
export async function revokeRegistration(tx: Context, registration_id: string): Promise<void> {
  await tx.db
    .updateTable('registration')
    .set({ status: 'revoked' })
    .where('registration_id', '=', registration_id)
    .execute()
}

function olderVersions(tx: Context, { client_id, agent_id }: AgentName, version: number) {
  return tx.db
    .updateTable('registration')
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('version', '<', version)
}
