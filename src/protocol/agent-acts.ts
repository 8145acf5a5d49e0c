import { z } from 'zod'
import { grantSchema } from './agent.ts'
import { grantViewSchema } from './agent-views.ts'

/* Answers of the admin API's acts on an agent itself; acts on a version answer as a registration does. */

export const suspensionAnswerSchema = z.object({
  client_id: z.string(),
  agent_id: z.string(),
  agent_status: z.literal('suspended'),
  /** What stopped being active: the agent's tokens as one, and each live token that it had delegated. */
  revoked: z.object({ agent: z.number(), token: z.number() }),
  suspended_at: z.string(),
})
export type SuspensionAnswer = z.output<typeof suspensionAnswerSchema>

export const resumptionAnswerSchema = z.object({
  client_id: z.string(),
  agent_id: z.string(),
  agent_status: z.literal('active'),
  resumed_at: z.string(),
})
export type ResumptionAnswer = z.output<typeof resumptionAnswerSchema>

/** Body of PATCH /admin/v1/agents/{client_id}/{agent_id}: takes the place of the whole grant. */
export const agentGrantChangeSchema = z.strictObject({ grant: grantSchema })
export type AgentGrantChange = z.output<typeof agentGrantChangeSchema>

export const agentGrantAnswerSchema = z.object({
  client_id: z.string(),
  agent_id: z.string(),
  grant: grantViewSchema,
})
export type AgentGrantAnswer = z.output<typeof agentGrantAnswerSchema>

export const agentKeyRemovedSchema = z.object({
  jkt: z.string(),
  /** Keys that this one had endorsed, removed with it. */
  endorsed_keys: z.number(),
})
export type AgentKeyRemoved = z.output<typeof agentKeyRemovedSchema>
