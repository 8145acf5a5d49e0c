import { z } from 'zod'

/*
 * Agents as the APIs show them to whoever decides about them: the admin API, the command line and the console. Every
 * text that came from an agent passes `visibleText` first, so that hidden characters are seen.
 */

/** Why a version waits for approval (protocol.md section 4). */
export const PENDING_CAUSES = ['require_approval', 'hidden-characters', 'keys', 'revoked_checksum'] as const
export type PendingCause = (typeof PENDING_CAUSES)[number]

const accessView = z.array(z.object({ resource: z.string(), scope: z.string() }))
export const grantViewSchema = z.object({ access: accessView, outside_workflow: z.boolean() })

/** An agent with the version that counts: the active one, else the newest. Never prompts or tools. */
export const agentViewSchema = z.object({
  app_id: z.string(),
  agent_id: z.string(),
  agent_status: z.enum(['active', 'suspended', 'revoked']),
  grant: grantViewSchema,
  registration_id: z.string().nullable(),
  version: z.number().nullable(),
  status: z.string().nullable(),
  checksum: z.string().nullable(),
  checksum_profile: z.string().nullable(),
  registered_at: z.string().nullable(),
  /** Versions that wait for a decision. */
  pending: z.number(),
})
export type AgentView = z.output<typeof agentViewSchema>

export const agentKeyViewSchema = z.object({
  jkt: z.string(),
  source: z.enum(['registered', 'endorsed']),
  added_at: z.string(),
  expires_at: z.string().nullable(),
  endorsed_by: z.string().nullable(),
})

export const registrationViewSchema = z.object({
  registration_id: z.string(),
  version: z.number(),
  status: z.enum(['pending', 'active', 'draining', 'retired', 'revoked']),
  checksum: z.string(),
  checksum_profile: z.enum(['jcs', 'reference']),
  registered_at: z.string(),
  registered_by: z.string(),
  registered_owner: z.string(),
  drain_seconds: z.number(),
  drains_until: z.string().nullable(),
  approved_at: z.string().nullable(),
  approved_by: z.string().nullable(),
  rejected_at: z.string().nullable(),
  rejected_by: z.string().nullable(),
  reject_reason: z.string().nullable(),
  pending_for: z.array(z.enum(PENDING_CAUSES)),
  proposed_grant: grantViewSchema.nullable(),
  proposed_jkts: z.array(z.string()),
})
export type RegistrationView = z.output<typeof registrationViewSchema>

/** One agent with its newest versions; a pending one says what it proposes, for whoever approves it. */
export const agentDetailSchema = agentViewSchema.extend({
  owner: z.string(),
  /** The longest drain that the policy of its client allows. */
  max_drain_seconds: z.number(),
  suspended: z.object({ by: z.string(), owner: z.string(), at: z.string(), reason: z.string() }).nullable(),
  keys: z.array(agentKeyViewSchema),
  /** Endorsed keys that have not expired; at most 16 of them stand in `keys`. */
  endorsed_keys: z.number(),
  registrations: z.array(registrationViewSchema),
})
export type AgentDetail = z.output<typeof agentDetailSchema>

/** Something an approver should look at before deciding. `where` is a path like `tools.search.description`. */
export const warningSchema = z.object({
  code: z.enum(['hidden-characters', 'same-content', 'normalised']),
  where: z.string(),
  detail: z.string(),
})
export type Warning = z.output<typeof warningSchema>

/** One line of a comparison; `skip` stands for unchanged lines left out, its text says how many. */
export const diffLineSchema = z.object({ op: z.enum(['same', 'add', 'remove', 'skip']), text: z.string() })
export type DiffLine = z.output<typeof diffLineSchema>

export const componentsDiffSchema = z.object({
  prompt: z.array(diffLineSchema),
  tools: z.array(
    z.object({
      name: z.string(),
      change: z.enum(['added', 'removed', 'changed', 'moved']),
      lines: z.array(diffLineSchema),
    }),
  ),
  configuration: z.array(diffLineSchema),
})
export type ComponentsDiff = z.output<typeof componentsDiffSchema>

/** The parts of one version in readable form, hidden characters made visible; JSON as indented text. */
export const componentsViewSchema = z.object({
  prompt: z.string(),
  tools: z.array(z.object({ name: z.string(), description: z.string(), rest: z.string() })),
  configuration: z.string(),
})
export type ComponentsView = z.output<typeof componentsViewSchema>

/** GET /admin/v1/agents/{client_id}/{agent_id}/versions/{registration_id}?against=: all that an approver needs. */
export const versionDetailSchema = registrationViewSchema.extend({
  client_id: z.string(),
  agent_id: z.string(),
  components: componentsViewSchema,
  warnings: z.array(warningSchema),
  /** Compared with `against`, or with the active version; null where there is nothing to compare with. */
  against: z.object({ registration_id: z.string(), version: z.number() }).nullable(),
  diff: componentsDiffSchema.nullable(),
})
export type VersionDetail = z.output<typeof versionDetailSchema>

/** Answer of POST /intent/register/agent/preview: what registering would do, without doing it. */
export const previewAnswerSchema = z.object({
  agent_id: z.string(),
  checksum: z.string(),
  checksum_profile: z.enum(['jcs', 'reference']),
  version: z.number(),
  status: z.enum(['active', 'pending']),
  pending_for: z.array(z.enum(PENDING_CAUSES)),
  warnings: z.array(warningSchema),
  against: z.object({ registration_id: z.string(), version: z.number() }).nullable(),
  diff: componentsDiffSchema.nullable(),
})
export type PreviewAnswer = z.output<typeof previewAnswerSchema>
