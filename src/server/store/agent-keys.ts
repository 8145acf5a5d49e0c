import type { Selectable } from 'kysely'
import type { Context } from '../context.ts'
import type { AgentKeyTable, PublicJwk } from './schema.ts'

export type AgentKey = Pick<Selectable<AgentKeyTable>, 'jkt' | 'jwk' | 'source'>

/** Keys of an agent that were not removed and have not ended (index agent_key_by_agent). */
export async function findAgentKeys(ctx: Context, client_id: string, agent_id: string): Promise<readonly AgentKey[]> {
  return await ctx.db
    .selectFrom('agent_key')
    .select(['jkt', 'jwk', 'source'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('removed_at', 'is', null)
    .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', ctx.now())]))
    .orderBy('jkt')
    .limit(16)
    .execute()
}

/** The agent that a thumbprint is bound to, for ever, also after the key was removed (primary key). */
export async function findKeyOwner(
  ctx: Context,
  jkt: string,
): Promise<{ client_id: string; agent_id: string } | undefined> {
  return await ctx.db
    .selectFrom('agent_key')
    .select(['client_id', 'agent_id'])
    .where('jkt', '=', jkt)
    .executeTakeFirst()
}

/**
 * Binds registered keys to an agent; one that it once had comes back. Sorted, so that two agents never wait for each
 * other crosswise. @returns the thumbprints that are this agent's now: one that is missing belongs to another agent
 */
export async function insertAgentKeys(
  tx: Context,
  client_id: string,
  agent_id: string,
  keys: readonly { jkt: string; jwk: PublicJwk }[],
  now: Date,
): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set()
  const sorted = keys.toSorted((a, b) => (a.jkt < b.jkt ? -1 : 1))
  const rows = await tx.db
    .insertInto('agent_key')
    .values(
      sorted.map(({ jkt, jwk }) => ({
        jkt,
        client_id,
        agent_id,
        jwk: JSON.stringify(jwk),
        source: 'registered' as const,
        added_at: now,
        expires_at: null,
        removed_at: null,
      })),
    )
    .onConflict(conflict =>
      conflict
        .column('jkt')
        .doUpdateSet({ removed_at: null })
        .where('agent_key.client_id', '=', client_id)
        .where('agent_key.agent_id', '=', agent_id),
    )
    .returning('jkt')
    .execute()
  return new Set(rows.map(row => row.jkt))
}

/** Removes the registered keys of an agent except these; their thumbprints stay bound to it. */
export async function removeOtherKeys(
  tx: Context,
  client_id: string,
  agent_id: string,
  kept: readonly string[],
  now: Date,
): Promise<void> {
  await tx.db
    .updateTable('agent_key')
    .set({ removed_at: now })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('source', '=', 'registered')
    .where('removed_at', 'is', null)
    .where('jkt', 'not in', kept)
    .execute()
}
