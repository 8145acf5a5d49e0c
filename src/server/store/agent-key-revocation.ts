import { EXECUTION_LIFETIME_MAX, REVOCATION_MARGIN, TOKEN_LIFETIME_HARD_LIMIT } from '../../protocol/time.ts'
import type { Context } from '../context.ts'

/**
 * Removes an agent's key for good, where there is one, and the keys that it ever endorsed, those of a client's key too;
 * also keys that ended so lately that what they delegated may still be presented, or tokens live that were minted with it
 * (primary keys). Only under the exclusive gate.
 * @returns the thumbprints of the endorsed ones
 */
export async function revokeAgentKeys(tx: Context, jkt: string, now: Date): Promise<readonly string[]> {
  const longest = EXECUTION_LIFETIME_MAX + TOKEN_LIFETIME_HARD_LIMIT + REVOCATION_MARGIN
  const lately = new Date(now.getTime() - longest * 1000)
  const gone = tx.db
    .updateTable('agent_key')
    .set(eb => ({ revoked_at: now, removed_at: eb.fn.coalesce('removed_at', eb.val(now)) }))
    .where('revoked_at', 'is', null)
  await gone.where('jkt', '=', jkt).execute()
  const endorsed = await gone
    .where('source', '=', 'endorsed')
    .where('jkt', 'in', tx.db.selectFrom('agent_key_endorsement').select('jkt').where('endorsed_by', '=', jkt))
    .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', lately)]))
    .returning('jkt')
    .execute()
  return endorsed.map(key => key.jkt).sort()
}
