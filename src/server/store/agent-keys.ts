import { type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { AgentKeyTable, PublicJwk } from './schema.ts'

export type AgentKey = Pick<Selectable<AgentKeyTable>, 'jkt' | 'jwk' | 'source'>
export type AgentKeyRow = Selectable<AgentKeyTable>

/** Most keys that may be registered for an agent at a time (protocol.md section 4). */
export const REGISTERED_KEYS_MAX = 16

export const AGENT_KEY_COLUMNS = [
  'jkt',
  'client_id',
  'agent_id',
  'jwk',
  'source',
  'added_at',
  'expires_at',
  'removed_at',
  'endorsed_by',
  'revoked_at',
] as const

/** The registered keys of an agent, never the endorsed ones, without those that were removed (index agent_key_registered). */
export async function findAgentKeys(ctx: Context, client_id: string, agent_id: string): Promise<readonly AgentKey[]> {
  return await ctx.db
    .selectFrom('agent_key')
    .select(['jkt', 'jwk', 'source'])
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('source', '=', 'registered')
    .where('removed_at', 'is', null)
    .orderBy('jkt')
    .limit(REGISTERED_KEYS_MAX)
    .execute()
}

/** What one thumbprint is bound to, whoever has it, removed and expired ones too (primary key). */
export async function findAgentKey(ctx: Context, jkt: string): Promise<AgentKeyRow | undefined> {
  return await ctx.db.selectFrom('agent_key').select(AGENT_KEY_COLUMNS).where('jkt', '=', jkt).executeTakeFirst()
}

/**
 * Keys of an agent as an administrator sees them: the registered ones, then the endorsed ones that live longest, at
 * most 16 of each (indexes agent_key_registered, agent_key_endorsed).
 */
export async function listAgentKeys(
  ctx: Context,
  client_id: string,
  agent_id: string,
): Promise<readonly AgentKeyRow[]> {
  const current = ctx.db
    .selectFrom('agent_key')
    .select(AGENT_KEY_COLUMNS)
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('removed_at', 'is', null)
    .limit(REGISTERED_KEYS_MAX)
  const registered = await current.where('source', '=', 'registered').orderBy('jkt').execute()
  const endorsed = await current
    .where('source', '=', 'endorsed')
    .where('expires_at', '>', ctx.now())
    .orderBy('expires_at', 'desc')
    .orderBy('jkt')
    .execute()
  return [...registered, ...endorsed]
}

/**
 * The registered keys of an agent that may act: none where the agent or its client is not active, or where there is no
 * such agent. One statement for all of these, so that they cost the same (index agent_key_registered).
 */
export async function findPublicKeys(ctx: Context, client_id: string, agent_id: string): Promise<readonly AgentKey[]> {
  return await ctx.db
    .selectFrom('agent_key')
    .innerJoin('agent', join =>
      join.onRef('agent.client_id', '=', 'agent_key.client_id').onRef('agent.agent_id', '=', 'agent_key.agent_id'),
    )
    .innerJoin('client', 'client.client_id', 'agent.client_id')
    .select(['agent_key.jkt', 'agent_key.jwk', 'agent_key.source'])
    .where('agent_key.client_id', '=', client_id)
    .where('agent_key.agent_id', '=', agent_id)
    .where('agent_key.source', '=', 'registered')
    .where('agent_key.removed_at', 'is', null)
    .where('agent.status', '=', 'active')
    .where('client.status', '=', 'active')
    .orderBy('agent_key.jkt')
    .limit(REGISTERED_KEYS_MAX)
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

/** Class of the advisory locks on thumbprints. */
const KEY_LOCK = 7_166
/** So many locks stand for all thumbprints: a batch holds no more, however many keys it has. */
const KEY_LOCKS = 128

/**
 * Keeps others from binding these thumbprints until the transaction ends, taken in one order by all, so that nobody
 * waits for anybody crosswise; after the rows of all agents that it is about.
 */
export async function holdKeys(tx: Context, jkts: readonly string[]): Promise<void> {
  if (jkts.length === 0) return
  await sql`
    select pg_advisory_xact_lock(${KEY_LOCK}, held.lock)
      from (select distinct hashtext(jkt) & ${KEY_LOCKS - 1} as lock from unnest(${jkts}::text[]) as jkt
            order by lock offset 0) as held`.execute(tx.db)
}

/**
 * Binds registered keys to an agent; one that it once had, or had endorsed, comes back. Holds them first.
 * @returns the thumbprints that are this agent's now: one that is missing belongs to another agent, or was revoked
 */
export async function insertAgentKeys(
  tx: Context,
  client_id: string,
  agent_id: string,
  keys: readonly { jkt: string; jwk: PublicJwk }[],
  now: Date,
): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set()
  await holdKeys(
    tx,
    keys.map(key => key.jkt),
  )
  const rows = await tx.db
    .insertInto('agent_key')
    .values(
      keys.map(({ jkt, jwk }) => ({
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
        .doUpdateSet({ source: 'registered', expires_at: null, endorsed_by: null, removed_at: null })
        .where('agent_key.client_id', '=', client_id)
        .where('agent_key.agent_id', '=', agent_id)
        .where('agent_key.revoked_at', 'is', null),
    )
    .returning('jkt')
    .execute()
  return new Set(rows.map(row => row.jkt))
}

/**
 * Removes a registered key of an agent and what it endorsed; the thumbprints stay bound (primary key, index
 * agent_key_by_endorser).
 * @returns how many endorsed keys went with it; undefined where the agent has no such registered key
 */
export async function removeAgentKey(
  tx: Context,
  agent: { client_id: string; agent_id: string },
  jkt: string,
  now: Date,
): Promise<number | undefined> {
  const current = tx.db
    .updateTable('agent_key')
    .set({ removed_at: now })
    .where('client_id', '=', agent.client_id)
    .where('agent_id', '=', agent.agent_id)
    .where('removed_at', 'is', null)
  const removed = await current
    .where('jkt', '=', jkt)
    .where('source', '=', 'registered')
    .returning('jkt')
    .executeTakeFirst()
  if (!removed) return undefined
  const endorsed = await current.where('endorsed_by', '=', jkt).executeTakeFirst()
  return Number(endorsed.numUpdatedRows)
}

/**
 * Removes the registered keys of an agent except these, and what those endorsed; all stay bound to it (indexes
 * agent_key_registered, agent_key_by_endorser).
 */
export async function removeOtherKeys(
  tx: Context,
  client_id: string,
  agent_id: string,
  kept: readonly string[],
  now: Date,
): Promise<void> {
  const current = tx.db
    .updateTable('agent_key')
    .set({ removed_at: now })
    .where('client_id', '=', client_id)
    .where('agent_id', '=', agent_id)
    .where('removed_at', 'is', null)
  const removed = await current
    .where('source', '=', 'registered')
    .where('jkt', 'not in', kept)
    .returning('jkt')
    .execute()
  if (removed.length === 0) return
  const jkts = removed.map(key => key.jkt)
  await current.where('endorsed_by', 'in', jkts).execute()
}
