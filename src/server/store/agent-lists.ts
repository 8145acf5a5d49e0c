import type { SelectQueryBuilder } from 'kysely'
import type { Context } from '../context.ts'
import { AGENT_COLUMNS, type Agent } from './agents.ts'
import type { Client } from './clients.ts'
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

/** An agent as its row says, and whether its client stands: what its client's end ends is not written to each agent. */
export type ListedAgent = Agent & { readonly client_status: Client['status'] }

/**
 * Agents in the order of client and id, those after `after` (primary keys; by `status` indexes agent_out_of_order and
 * registration_pending). Those of a client that was revoked or deleted are revoked with it (protocol.md section 9).
 */
export async function listAgents(
  ctx: Context,
  { client_id, status, after, limit }: AgentPage,
): Promise<readonly ListedAgent[]> {
  let query = ctx.db
    .selectFrom('agent')
    .innerJoin('client', 'client.client_id', 'agent.client_id')
    .select([...AGENT_COLUMNS, 'client.status as client_status'])
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

function ofStatus<O>(query: SelectQueryBuilder<Database, 'agent' | 'client', O>, status: AgentFilter | undefined) {
  if (status === undefined) return query
  if (status === 'revoked') {
    return query.where(eb => eb.or([eb('agent.status', '=', status), eb('client.status', '<>', 'active')]))
  }
  const standing = query.where('client.status', '=', 'active')
  if (status !== 'pending') return standing.where('agent.status', '=', status)
  return standing
    .where('agent.status', '<>', 'revoked')
    .where(eb =>
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
