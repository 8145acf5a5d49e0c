import { z } from 'zod'
import { accessSchema } from './access.ts'
import { agentIdSchema, clientIdSchema } from './names.ts'

/** A tool as profile `jcs` hashes it: exactly these members (protocol.md section 4). */
const toolSchema = z.strictObject({
  name: z.string().min(1).max(256),
  description: z.string().default(''),
  parameters: z.record(z.string(), z.unknown()).default({}),
  source_digest: z.string().optional(),
})

/** What an agent is made of. Order of tools and every code point count. */
export const agentComponentsSchema = z.strictObject({
  agent_id: agentIdSchema,
  prompt_template: z.string(),
  tools: z
    .array(toolSchema)
    .max(512)
    .refine(tools => new Set(tools.map(t => t.name)).size === tools.length, 'Two tools have one name.'),
  configuration: z.record(z.string(), z.unknown()).default({}),
})
export type AgentComponents = z.output<typeof agentComponentsSchema>

/** What an agent may ask for: pairs, and whether it may ask without a workflow while one assigns it a step. */
export const grantSchema = z.strictObject({
  access: accessSchema,
  outside_workflow: z.boolean().default(false),
})
export type Grant = z.output<typeof grantSchema>

/** Body of POST /intent/register/agent (protocol.md section 4). Members that are not built yet are refused by name. */
export const agentRegistrationSchema = z
  .strictObject({
    app_id: clientIdSchema,
    agent_components: agentComponentsSchema,
    public_key: z.union([z.string().max(4096), z.record(z.string(), z.unknown())]).optional(),
    jwks: z.unknown().optional(),
    checksum_profile: z.literal('jcs', 'Only profile "jcs" is built yet.').default('jcs'),
    claimed_checksum: z.string().max(128).optional(),
    grant: grantSchema.optional(),
  })
  .refine(body => body.public_key === undefined || body.jwks === undefined, 'Send public_key or jwks, not both.')
export type AgentRegistration = z.output<typeof agentRegistrationSchema>

export const registrationAnswerSchema = z.object({
  agent_id: z.string(),
  registration_id: z.string(),
  checksum: z.string(),
  version: z.number(),
  status: z.string(),
})
export type RegistrationAnswer = z.output<typeof registrationAnswerSchema>

/** Body of POST /admin/v1/agents/{client_id}/{agent_id}/approve: bound to one version and its content. */
export const approveVersionSchema = z.strictObject({
  registration_id: z.string().min(1).max(256),
  checksum: z.string().max(128),
})
export type ApproveVersion = z.output<typeof approveVersionSchema>
