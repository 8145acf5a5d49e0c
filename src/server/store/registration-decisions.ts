import type { Context } from '../context.ts'
import type { AgentName } from './agent-lists.ts'

const MOST_REGISTRANTS = 256

/** A pending version ends undone; what it proposed goes with it. @returns false where it is not pending */
export async function rejectRegistration(
  tx: Context,
  registration_id: string,
  by: { rejected_at: Date; rejected_by: string; reject_reason: string },
): Promise<boolean> {
  const rejected = await tx.db
    .updateTable('registration')
    .set({ status: 'retired', proposed_grant: null, proposed_keys: null, ...by })
    .where('registration_id', '=', registration_id)
    .where('status', '=', 'pending')
    .returning('registration_id')
    .executeTakeFirst()
  return rejected !== undefined
}

/** A version that mints ends. @returns false where it is neither active nor draining */
export async function retireRegistration(tx: Context, registration_id: string): Promise<boolean> {
  const retired = await tx.db
    .updateTable('registration')
    .set({ status: 'retired' })
    .where('registration_id', '=', registration_id)
    .where('status', 'in', ['active', 'draining'])
    .returning('registration_id')
    .executeTakeFirst()
  return retired !== undefined
}

/** Whatever drains or waits with this content ends, so that a new version may have it (registration_live_checksum). */
export async function retireSameContent(tx: Context, agent: AgentName, checksum: string): Promise<void> {
  await tx.db
    .updateTable('registration')
    .set({ status: 'retired', proposed_grant: null, proposed_keys: null })
    .where('client_id', '=', agent.client_id)
    .where('agent_id', '=', agent.agent_id)
    .where('checksum', '=', checksum)
    .where('status', 'in', ['pending', 'draining'])
    .execute()
}

/** Who answers for the versions that mint now (unique index on client_id, agent_id, version). */
export async function registrantsOf(
  ctx: Context,
  { client_id, agent_id }: AgentName,
  now: Date,
): Promise<readonly string[]> {
  const rows = await ctx.db
    .selectFrom('registration')
    .select('registered_owner')
    .distinct()
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where(eb =>
      eb.or([eb('status', '=', 'active'), eb.and([eb('status', '=', 'draining'), eb('drains_until', '>', now)])]),
    )
    .orderBy('registered_owner')
    .limit(MOST_REGISTRANTS)
    .execute()
  return rows.map(row => row.registered_owner)
}
