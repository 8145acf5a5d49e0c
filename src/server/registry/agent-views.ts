import { z } from 'zod'
import { Problem } from '../../protocol/problem.ts'
import type { Context } from '../context.ts'
import { findAgentKeys } from '../store/agent-keys.ts'
import { type Agent, findAgent, listAgents } from '../store/agents.ts'
import { currentRegistrations, listRegistrations, type RegistrationRow } from '../store/registrations.ts'
import { openComponents } from './components.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { anyHiddenText } from './hidden-text.ts'

const accessView = z.array(z.object({ resource: z.string(), scope: z.string() }))
const grantView = z.object({ access: accessView, outside_workflow: z.boolean() })

/** An agent with the version that counts: the active one, else the newest. Never prompts or tools. */
export const agentViewSchema = z.object({
  app_id: z.string(),
  agent_id: z.string(),
  agent_status: z.string(),
  grant: grantView,
  registration_id: z.string().nullable(),
  version: z.number().nullable(),
  status: z.string().nullable(),
  checksum: z.string().nullable(),
  checksum_profile: z.string().nullable(),
  registered_at: z.string().nullable(),
})
export type AgentView = z.output<typeof agentViewSchema>

/** One agent with its newest versions; a pending one says what it proposes, for whoever approves it. */
export const agentDetailSchema = agentViewSchema.extend({
  jkts: z.array(z.string()),
  registrations: z.array(
    z.object({
      registration_id: z.string(),
      version: z.number(),
      status: z.string(),
      checksum: z.string(),
      registered_at: z.string(),
      registered_by: z.string(),
      approved_at: z.string().nullable(),
      approved_by: z.string().nullable(),
      proposed_grant: grantView.nullable(),
      proposed_jkts: z.array(z.string()),
      marks: z.array(z.literal('hidden-characters')),
    }),
  ),
})
export type AgentDetail = z.output<typeof agentDetailSchema>

const NEWEST_VERSIONS = 20

/** Agents of a client in the order of their ids. */
export async function getAgents(
  ctx: Context,
  client_id: string,
  page: { cursor?: string; limit: number },
): Promise<Page<AgentView>> {
  const { cursorKey } = ctx.keys
  const list = `agents ${client_id}`
  const after = page.cursor === undefined ? {} : { after: decodeCursor(cursorKey, list, page.cursor) }
  const rows = await listAgents(ctx, client_id, { ...after, limit: page.limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, list, rows, page.limit, row => row.agent_id)
  const ids = items.map(agent => agent.agent_id)
  const current = await currentRegistrations(ctx, client_id, ids)
  return { items: items.map(agent => agentView(agent, current.get(agent.agent_id))), next_cursor }
}

/** Throws Problem `not_found`. */
export async function getAgent(ctx: Context, client_id: string, agent_id: string): Promise<AgentDetail> {
  const agent = await findAgent(ctx, client_id, agent_id)
  if (!agent) throw new Problem('not_found', 'The client has no agent of this agent_id.')
  const current = await currentRegistrations(ctx, client_id, [agent_id])
  const versions = await listRegistrations(ctx, client_id, agent_id, { limit: NEWEST_VERSIONS })
  const keys = await findAgentKeys(ctx, client_id, agent_id)
  // Only the newest can be approved, and components are long: no others are opened for their marks.
  const waiting = versions.find(version => version.status === 'pending')
  const hidden = waiting !== undefined && anyHiddenText(await openComponents(ctx, waiting.registration_id))
  return {
    ...agentView(agent, current.get(agent_id)),
    jkts: keys.map(key => key.jkt),
    registrations: versions.map(version => versionView(version, hidden && version === waiting)),
  }
}

function versionView(version: RegistrationRow, hidden: boolean): AgentDetail['registrations'][number] {
  const { registration_id, status, proposed_grant, proposed_keys } = version
  return {
    registration_id,
    version: version.version,
    status,
    checksum: version.checksum,
    registered_at: version.registered_at.toISOString(),
    registered_by: version.registered_by,
    approved_at: version.approved_at?.toISOString() ?? null,
    approved_by: version.approved_by,
    proposed_grant,
    proposed_jkts: (proposed_keys ?? []).map(key => key.jkt),
    marks: hidden ? ['hidden-characters'] : [],
  }
}

function agentView(agent: Agent, current: RegistrationRow | undefined): AgentView {
  return {
    app_id: agent.client_id,
    agent_id: agent.agent_id,
    agent_status: agent.status,
    grant: { access: [...agent.access], outside_workflow: agent.outside_workflow },
    registration_id: current?.registration_id ?? null,
    version: current?.version ?? null,
    status: current?.status ?? null,
    checksum: current?.checksum ?? null,
    checksum_profile: current?.checksum_profile ?? null,
    registered_at: current?.registered_at.toISOString() ?? null,
  }
}
