import type { SelectQueryBuilder } from 'kysely'
import type { Context } from '../context.ts'
import { AGENT_COLUMNS, type Agent } from './agents.ts'
import type { RegistrationRow } from './registrations.ts'
import type { Database } from './schema.ts'

/** An agent's name: its client and its id. */
export type AgentName = { readonly client_id: string; readonly agent_id: string }

/** The states of an agent, and `pending` for an agent with a version that waits for a decision. */
export const AGENT_FILTERS = ['pending', 'active', 'suspended', 'revoked'] as const
export type AgentFilter = (typeof AGENT_FILTERS)[number]

export type AgentPage = {
  readonly client_id?: string
  readonly status?: AgentFilter
  readonly after?: AgentName
  readonly limit: number
}

/**
 * Agents in the order of client and id, those after `after` (primary key; by `status` indexes agent_out_of_order and
 * registration_pending).
 */
export async function listAgents(
  ctx: Context,
  { client_id, status, after, limit }: AgentPage,
): Promise<readonly Agent[]> {
  let query = ctx.db
    .selectFrom('agent')
    .select(AGENT_COLUMNS)
    .orderBy('agent.client_id')
    .orderBy('agent.agent_id')
    .limit(limit)
  if (client_id !== undefined) query = query.where('agent.client_id', '=', client_id)
  if (after) {
    query = query.where(eb =>
      eb(eb.refTuple('agent.client_id', 'agent.agent_id'), '>', eb.tuple(after.client_id, after.agent_id)),
    )
  }
  return await ofStatus(query, status).execute()
}

function ofStatus<O>(query: SelectQueryBuilder<Database, 'agent', O>, status: AgentFilter | undefined) {
  if (status === undefined) return query
  if (status !== 'pending') return query.where('agent.status', '=', status)
  return query.where(eb =>
    eb.exists(
      eb
        .selectFrom('registration')
        .select('registration.version')
        .whereRef('registration.client_id', '=', 'agent.client_id')
        .whereRef('registration.agent_id', '=', 'agent.agent_id')
        .where('registration.status', '=', 'pending'),
    ),
  )
}

export type CurrentVersion = Pick<
  RegistrationRow,
  | 'registration_id'
  | 'client_id'
  | 'agent_id'
  | 'version'
  | 'status'
  | 'drains_until'
  | 'checksum'
  | 'checksum_profile'
  | 'registered_at'
>

/**
 * For each of these agents the version that counts: the active one, else the newest (unique index on client_id,
 * agent_id, version). @returns by client and agent, as `agentKey` writes it
 */
export async function currentVersions(
  ctx: Context,
  agents: readonly AgentName[],
): Promise<ReadonlyMap<string, CurrentVersion>> {
  if (agents.length === 0) return new Map()
  const rows = await ctx.db
    .selectFrom('registration')
    .select([
      'registration_id',
      'client_id',
      'agent_id',
      'version',
      'status',
      'drains_until',
      'checksum',
      'checksum_profile',
      'registered_at',
    ])
    .distinctOn(['client_id', 'agent_id'])
    .where(eb =>
      eb(
        eb.refTuple('client_id', 'agent_id'),
        'in',
        agents.map(name => eb.tuple(name.client_id, name.agent_id)),
      ),
    )
    .orderBy('client_id')
    .orderBy('agent_id')
    .orderBy(eb => eb.case().when('status', '=', 'active').then(0).else(1).end())
    .orderBy('version', 'desc')
    .limit(agents.length)
    .execute()
  return new Map(rows.map(row => [agentKey(row), row]))
}

/** How many versions of each of these agents wait for a decision; none where there is no entry (registration_pending). */
export async function pendingCounts(ctx: Context, agents: readonly AgentName[]): Promise<ReadonlyMap<string, number>> {
  if (agents.length === 0) return new Map()
  const rows = await ctx.db
    .selectFrom('registration')
    .select(eb => ['client_id', 'agent_id', eb.fn.countAll<string>().as('n')])
    .where('status', '=', 'pending')
    .where(eb =>
      eb(
        eb.refTuple('client_id', 'agent_id'),
        'in',
        agents.map(name => eb.tuple(name.client_id, name.agent_id)),
      ),
    )
    .groupBy(['client_id', 'agent_id'])
    .orderBy('client_id')
    .orderBy('agent_id')
    .limit(agents.length)
    .execute()
  return new Map(rows.map(row => [agentKey(row), Number(row.n)]))
}

/** Neither part of an agent's name has a slash. */
export function agentKey({ client_id, agent_id }: AgentName): string {
  return `${client_id}/${agent_id}`
}
