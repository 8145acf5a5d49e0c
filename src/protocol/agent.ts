import { z } from 'zod'
import { accessSchema } from './access.ts'
import { agentIdSchema, clientIdSchema } from './names.ts'
import { reasonSchema } from './reason.ts'
import { DRAIN_SECONDS_MAX } from './time.ts'

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

/** A tool as profile `reference` hashes it ([D] section 5.3.2). */
const referenceToolSchema = z.strictObject({
  name: z.string().min(1).max(256),
  signature: z.string().default(''),
  description: z.string().default(''),
  source_code: z.string().nullable().optional(),
})

/** What an agent is made of in profile `reference`. The written form of its numbers counts: see `checksum-reference.ts`. */
export const referenceComponentsSchema = z.strictObject({
  agent_id: agentIdSchema,
  prompt_template: z.string(),
  tools: z
    .array(referenceToolSchema)
    .max(512)
    .refine(tools => new Set(tools.map(t => t.name)).size === tools.length, 'Two tools have one name.'),
  configuration: z.record(z.string(), z.unknown()).default({}),
})
export type ReferenceComponents = z.output<typeof referenceComponentsSchema>

/** What an agent may ask for: pairs, and whether it may ask without a workflow while one assigns it a step. */
export const grantSchema = z.strictObject({
  access: accessSchema,
  outside_workflow: z.boolean().default(false),
})
export type Grant = z.output<typeof grantSchema>

export const CHECKSUM_PROFILES = ['jcs', 'reference'] as const
export type ChecksumProfile = (typeof CHECKSUM_PROFILES)[number]

/** A compact JWS; what it says is checked where its signer is known. */
export const compactJwsTextSchema = z.string().min(1).max(8192)

/** A name of two lines could draw what an approver takes for ours. Versions of older releases may have one. */
function hasPlainToolNames({ tools }: { readonly tools: readonly { readonly name: string }[] }): boolean {
  return tools.every(({ name }) => !/\p{Cc}/u.test(name))
}
const NAME_RULE = 'The name of a tool holds a control character.'

const registrationMembers = {
  app_id: clientIdSchema,
  public_key: z.union([z.string().max(4096), z.record(z.string(), z.unknown())]).optional(),
  jwks: z.unknown().optional(),
  claimed_checksum: z.string().max(128).optional(),
  grant: grantSchema.optional(),
  /** How long the version before this one goes on minting, at most the client's `max_drain_seconds`. */
  drain_seconds: z.int().min(0).max(DRAIN_SECONDS_MAX).default(0),
  key_statement: compactJwsTextSchema.optional(),
}

/** Body of POST /intent/register/agent (protocol.md section 4); without a `checksum_profile` it is `jcs`. */
export const agentRegistrationSchema = z
  .discriminatedUnion(
    'checksum_profile',
    [
      z.strictObject({
        ...registrationMembers,
        checksum_profile: z.literal('jcs').optional().default('jcs'),
        agent_components: agentComponentsSchema.refine(hasPlainToolNames, NAME_RULE),
      }),
      z.strictObject({
        ...registrationMembers,
        checksum_profile: z.literal('reference'),
        agent_components: referenceComponentsSchema.refine(hasPlainToolNames, NAME_RULE),
      }),
    ],
    {
      error: issue => (issue.code === 'invalid_union' ? "must be 'jcs' or 'reference'" : undefined),
    },
  )
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

/** Most agents of one POST /intent/batch_register/agent: all or nothing. */
export const AGENT_BATCH_MAX = 64

/** Its answer, in the order of the requests. */
export const batchAnswerSchema = z.object({ registrations: z.array(registrationAnswerSchema) })
export type BatchAnswer = z.output<typeof batchAnswerSchema>

const versionName = { registration_id: z.string().min(1).max(256), checksum: z.string().max(128) }

/** Body of POST /admin/v1/agents/{client_id}/{agent_id}/approve: bound to one version and its content. */
export const approveVersionSchema = z.strictObject(versionName)
export type ApproveVersion = z.output<typeof approveVersionSchema>

/** Body of …/reject: the version stays readable as `retired`. */
export const rejectVersionSchema = z.strictObject({ ...versionName, reason: reasonSchema })
export type RejectVersion = z.output<typeof rejectVersionSchema>

/** Body of …/rollback: the content of an older version, as a new version, counts at once. */
export const rollbackSchema = z.strictObject({
  ...versionName,
  drain_seconds: z.int().min(0).max(DRAIN_SECONDS_MAX).default(0),
})
export type Rollback = z.output<typeof rollbackSchema>

/** Body of …/retire: this version mints no more. */
export const retireVersionSchema = z.strictObject({ registration_id: versionName.registration_id })

/** Body of …/suspend and …/resume. */
export const suspendSchema = z.strictObject({ reason: reasonSchema })
export const resumeSchema = z.strictObject({})

/** Body of …/keys of the admin API and of POST /intent/agents/{client_id}/{agent_id}/keys. */
export const addAgentKeySchema = z.strictObject({ jwk: z.record(z.string(), z.unknown()) })
export const addStatedKeySchema = addAgentKeySchema.extend({ key_statement: compactJwsTextSchema })
