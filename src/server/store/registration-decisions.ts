import { sql } from 'kysely'
import type { Context } from '../context.ts'
import type { AgentName } from './agent-lists.ts'

const MOST_REGISTRANTS = 1024

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

/**
 * Who answers for the versions of these agents that counted at `since` or later, and who owns the clients through which
 * they came: each but those that another took the place of before, their drain over too (unique index on client_id,
 * agent_id, version). In doubt one counted.
 */
export async function registrantsSince(
  ctx: Context,
  agents: readonly AgentName[],
  since: Date,
): Promise<readonly string[]> {
  const clients = agents.map(({ client_id }) => client_id)
  const ids = agents.map(({ agent_id }) => agent_id)
  const { rows } = await sql<{ owner: string }>`
    with counted as (
      select distinct version.registered_owner, version.registered_client_owner,
          coalesce(version.registered_client, version.registered_by) as through
        from registration as version
      where (version.client_id, version.agent_id) in (select * from unnest(${clients}::text[], ${ids}::text[]))
        and (version.pending_for = '[]' or version.approved_at is not null)
        and (version.drains_until > ${since} or not exists (select 1 from registration as next
          where next.client_id = version.client_id and next.agent_id = version.agent_id
            and next.version > version.version
            and (next.pending_for = '[]' or next.approved_at is not null)
            and coalesce(next.approved_at, next.registered_at) < ${since}))
    )
    select registered_owner as owner from counted
      union select registered_client_owner from counted where registered_client_owner is not null
      union select client.owner from counted join client on client.client_id = counted.through
      order by owner limit ${MOST_REGISTRANTS}`.execute(ctx.db)
  return rows.map(row => row.owner)
}
