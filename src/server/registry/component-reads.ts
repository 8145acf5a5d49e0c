import type { AgentDetail, AgentView } from '../../protocol/agent-views.ts'
import {
  type ListedAgent,
  type RegisteredComponents,
  registeredComponentsSchema,
  type ShownAgent,
} from '../../protocol/registered-components.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { openComponents } from './components.ts'

/** What the audit trail keeps of a read of components: which versions, never what they say. */
export type Opened = { readonly registration_ids: readonly string[] }

/** Whether prompts and tools may be shown (protocol.md section 2): no right to register is one to read. */
export function mayReadComponents({ scope }: Caller): boolean {
  return scope.includes('read:agent-components')
}

/** Agents with the parts of the version that counts. */
export async function withComponents(
  ctx: Context,
  agents: readonly AgentView[],
): Promise<{ agents: ListedAgent[] } & Opened> {
  const opened: string[] = []
  const shown: ListedAgent[] = []
  for (const agent of agents) {
    if (agent.registration_id === null) {
      shown.push(agent)
      continue
    }
    opened.push(agent.registration_id)
    shown.push({ ...agent, ...(await registeredComponents(ctx, agent.registration_id)) })
  }
  return { agents: shown, registration_ids: opened }
}

/** One agent with the parts of each version that is shown. */
export async function withEachVersion(ctx: Context, agent: AgentDetail): Promise<{ agent: ShownAgent } & Opened> {
  const registrations: ShownAgent['registrations'] = []
  for (const version of agent.registrations) {
    registrations.push({ ...version, ...(await registeredComponents(ctx, version.registration_id)) })
  }
  const registration_ids = registrations.map(version => version.registration_id)
  if (agent.registration_id === null) return { agent: { ...agent, registrations }, registration_ids }
  const current = await registeredComponents(ctx, agent.registration_id)
  return {
    agent: { ...agent, ...current, registrations },
    registration_ids: [...new Set([agent.registration_id, ...registration_ids])],
  }
}

async function registeredComponents(ctx: Context, registration_id: string): Promise<RegisteredComponents> {
  return registeredComponentsSchema.parse(await openComponents(ctx, registration_id))
}
