import type { Context } from '../context.ts'
import { LIVE, type RegistrationRow } from './registrations.ts'

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

/** Ends what a new active version replaces: the active one and everything that waits below it. */
export async function retireOlder(tx: Context, client_id: string, agent_id: string, version: number): Promise<void> {
  await tx.db
    .updateTable('registration')
    .set({ status: 'retired', proposed_grant: null, proposed_keys: null })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('version', '<', version)
    .where('status', 'in', LIVE)
    .execute()
}

/**
 * A pending version becomes the active one; retire the older ones first (index registration_one_active).
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
