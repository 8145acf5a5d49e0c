import { z } from 'zod'
import { agentDetailSchema, agentViewSchema, registrationViewSchema } from './agent-views.ts'

/** The parts of a version as they were registered: only for a token that also has `read:agent-components`. */
export const registeredComponentsSchema = z.object({
  prompt_template: z.string(),
  tools: z.array(z.unknown()),
  configuration: z.record(z.string(), z.unknown()),
})
export type RegisteredComponents = z.output<typeof registeredComponentsSchema>

const perhaps = registeredComponentsSchema.partial().shape

/** An item of GET /intent/agents/{app_id}: the reference client's Registration, with its parts for who may read them. */
export const listedAgentSchema = agentViewSchema.extend(perhaps)
export type ListedAgent = z.output<typeof listedAgentSchema>

/** GET /intent/agents/{app_id}/{agent_id}: the same for one agent, and for each of its newest versions. */
export const shownAgentSchema = agentDetailSchema.extend({
  ...perhaps,
  registrations: z.array(registrationViewSchema.extend(perhaps)),
})
export type ShownAgent = z.output<typeof shownAgentSchema>
