import { sql } from 'kysely'
import type { Context } from '../context.ts'
import type { AgentKeyRow } from './agent-keys.ts'

export type EndorsedKey = Pick<AgentKeyRow, 'jkt' | 'client_id' | 'agent_id' | 'jwk'> & {
  readonly expires_at: Date
  readonly endorsed_by: string
}

/**
 * Binds an endorsed key to its agent, or lets it live on; a registered one stays registered. RETURNING decides. Its row
 * names the signer of its last statement, `agent_key_endorsement` those of all.
 * @returns false where the thumbprint is another agent's, or was removed: an endorsement brings no removed key back
 */
export async function insertEndorsedKey(tx: Context, key: EndorsedKey, now: Date): Promise<boolean> {
  const binding = tx.db
    .insertInto('agent_key')
    .values({ ...key, jwk: JSON.stringify(key.jwk), source: 'endorsed', added_at: now, removed_at: null })
    .onConflict(conflict =>
      conflict
        .column('jkt')
        .doUpdateSet({
          expires_at: sql<Date>`greatest(agent_key.expires_at, excluded.expires_at)`,
          endorsed_by: sql<string>`excluded.endorsed_by`,
        })
        .where('agent_key.client_id', '=', key.client_id)
        .where('agent_key.agent_id', '=', key.agent_id)
        .where('agent_key.source', '=', 'endorsed')
        .where('agent_key.removed_at', 'is', null),
    )
    .returning(['jkt', 'endorsed_by'])
  const { rows } = await sql<{ jkt: string }>`
    with bound as (${binding}),
      endorsement as (
        insert into agent_key_endorsement (jkt, endorsed_by) select jkt, endorsed_by from bound on conflict do nothing)
    select jkt from bound limit 1`.execute(tx.db)
  return rows.length > 0
}

/** Endorsed keys of an agent that have not expired, counted up to `most` (index agent_key_endorsed). */
export async function countEndorsedKeys(
  ctx: Context,
  client_id: string,
  agent_id: string,
  now: Date,
  most = 100_000,
): Promise<number> {
  const live = ctx.db
    .selectFrom('agent_key')
    .select('jkt')
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('source', '=', 'endorsed')
    .where('removed_at', 'is', null)
    .where('expires_at', '>', now)
    .limit(most)
  const { count } = await ctx.db
    .selectFrom(live.as('live'))
    .select(eb => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
