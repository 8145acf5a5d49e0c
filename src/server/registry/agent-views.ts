import type { AgentDetail, AgentView, RegistrationView } from '../../protocol/agent-views.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Context } from '../context.ts'
import { type AgentKeyRow, listAgentKeys } from '../store/agent-keys.ts'
import {
  type AgentFilter,
  type AgentName,
  agentKey,
  type CurrentVersion,
  currentVersions,
  type ListedAgent,
  listAgents,
  pendingCounts,
} from '../store/agent-lists.ts'
import { type Agent, findAgent } from '../store/agents.ts'
import { type Client, findClient } from '../store/clients.ts'
import { countEndorsedKeys } from '../store/endorsed-keys.ts'
import { listRegistrations, type RegistrationRow } from '../store/registrations.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'

const VERSIONS_PAGE = 20

export type AgentsAsked = {
  readonly client_id?: string
  readonly status?: AgentFilter
  readonly cursor?: string
  readonly limit: number
}

/** Agents in the order of client and id: all of them, of one client, of one state. Throws Problem `invalid_request`. */
export async function getAgents(ctx: Context, asked: AgentsAsked): Promise<Page<AgentView>> {
  const { cursor, limit, ...filter } = asked
  const list = `agents ${filter.client_id ?? '*'} ${filter.status ?? '*'}`
  const after = cursor === undefined ? undefined : nameIn(decodeCursor(ctx.keys.cursorKey, list, cursor))
  const rows = await listAgents(ctx, { ...filter, limit: limit + 1, ...(after && { after }) })
  const { items, next_cursor } = pageOf(ctx.keys.cursorKey, list, rows, limit, agentKey)
  return { items: await agentViews(ctx, items.map(standing)), next_cursor }
}

/**
 * One agent with its newest versions, those below `below` where it is given: the number of the oldest one seen names
 * the next page. Throws Problem `not_found`.
 */
export async function getAgent(ctx: Context, { client_id, agent_id }: AgentName, below?: number): Promise<AgentDetail> {
  const { agent, client } = await findStanding(ctx, { client_id, agent_id })
  const now = ctx.now()
  const page = { limit: VERSIONS_PAGE, ...(below !== undefined && { below }) }
  const versions = await listRegistrations(ctx, client_id, agent_id, page)
  const keys = await listAgentKeys(ctx, client_id, agent_id)
  const [view] = await agentViews(ctx, [agent])
  if (!view) throw new Error('An agent that is there has no view.')
  return {
    ...view,
    owner: client.owner,
    max_drain_seconds: client.policies.max_drain_seconds,
    suspended: suspensionView(agent),
    keys: keys.map(keyView),
    endorsed_keys: await countEndorsedKeys(ctx, client_id, agent_id, now),
    registrations: versions.map(version => registrationView(version, agent, now)),
  }
}

/**
 * A version as it stands now: one whose drain is over has ended, one of a revoked agent is revoked, whatever its row still
 * says.
 */
export function registrationView(version: RegistrationRow, agent: StandingAgent, now: Date): RegistrationView {
  const { registration_id, checksum, checksum_profile, drain_seconds, proposed_grant, proposed_keys } = version
  return {
    registration_id,
    version: version.version,
    status: statusNow(version, agent, now),
    checksum,
    checksum_profile,
    registered_at: version.registered_at.toISOString(),
    registered_by: version.registered_by,
    registered_owner: version.registered_owner,
    drain_seconds,
    drains_until: version.drains_until?.toISOString() ?? null,
    approved_at: version.approved_at?.toISOString() ?? null,
    approved_by: version.approved_by,
    rejected_at: version.rejected_at?.toISOString() ?? null,
    rejected_by: version.rejected_by,
    reject_reason: version.reject_reason,
    pending_for: [...version.pending_for],
    proposed_grant,
    proposed_jkts: (proposed_keys ?? []).map(key => key.jkt),
  }
}

export function keyView({ jkt, source, added_at, expires_at, endorsed_by }: AgentKeyRow): AgentDetail['keys'][number] {
  return {
    jkt,
    source,
    added_at: added_at.toISOString(),
    expires_at: expires_at?.toISOString() ?? null,
    endorsed_by,
  }
}

/** One agent as it stands now, with who owns its client. Throws Problem `not_found`. */
export async function findStanding(
  ctx: Context,
  { client_id, agent_id }: AgentName,
): Promise<{ agent: Agent; client: Client }> {
  const row = await findAgent(ctx, client_id, agent_id)
  const client = await findClient(ctx, client_id)
  if (!row || !client) throw new Problem('not_found', 'The client has no agent of this agent_id.')
  return { agent: standing({ ...row, client_status: client.status }), client }
}

/** One agent as it stands now; undefined: the client has none of this id. */
export async function standingAgent(ctx: Context, { client_id, agent_id }: AgentName): Promise<Agent | undefined> {
  const row = await findAgent(ctx, client_id, agent_id)
  const client = await findClient(ctx, client_id)
  return row && client && standing({ ...row, client_status: client.status })
}

/** An agent is revoked with its client, without a row of its own that says so: a client may have very many. */
function standing<T extends Pick<ListedAgent, 'status' | 'client_status'>>({ client_status, ...agent }: T) {
  return client_status === 'active' ? agent : { ...agent, status: 'revoked' as const }
}

type StandingAgent = Pick<Agent, 'status'>

async function agentViews(ctx: Context, agents: readonly Agent[]): Promise<AgentView[]> {
  const current = await currentVersions(ctx, agents)
  const pending = await pendingCounts(ctx, agents)
  return agents.map(agent => {
    const key = agentKey(agent)
    return agentView(agent, current.get(key), pending.get(key) ?? 0, ctx.now())
  })
}

function agentView(agent: Agent, current: CurrentVersion | undefined, pending: number, now: Date): AgentView {
  return {
    app_id: agent.client_id,
    agent_id: agent.agent_id,
    agent_status: agent.status,
    grant: { access: [...agent.access], outside_workflow: agent.outside_workflow },
    registration_id: current?.registration_id ?? null,
    version: current?.version ?? null,
    status: current ? statusNow(current, agent, now) : null,
    checksum: current?.checksum ?? null,
    checksum_profile: current?.checksum_profile ?? null,
    registered_at: current?.registered_at.toISOString() ?? null,
    // Nobody can decide about it any more.
    pending: agent.status === 'revoked' ? 0 : pending,
  }
}

function suspensionView(agent: Agent): AgentDetail['suspended'] {
  const { status, suspended_by, suspended_owner, suspended_at, suspend_reason } = agent
  if (status !== 'suspended') return null
  return {
    by: suspended_by ?? '',
    owner: suspended_owner ?? '',
    at: suspended_at?.toISOString() ?? '',
    reason: suspend_reason ?? '',
  }
}

function statusNow(
  { status, drains_until }: Pick<RegistrationRow, 'status' | 'drains_until'>,
  agent: StandingAgent,
  now: Date,
): RegistrationRow['status'] {
  const isOver = status === 'draining' && (drains_until === null || drains_until <= now)
  if (isOver || status === 'retired') return 'retired'
  return agent.status === 'revoked' ? 'revoked' : status
}

function nameIn(position: string): AgentName {
  const [client_id = '', agent_id = ''] = position.split('/')
  return { client_id, agent_id }
}
