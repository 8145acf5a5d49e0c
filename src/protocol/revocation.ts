import { z } from 'zod'
import { reasonSchema } from './reason.ts'

/** Everything that can be revoked (protocol.md section 9). */
export const REVOCATION_KINDS = [
  'token',
  'registration',
  'agent',
  'client',
  'execution',
  'workflow',
  'initiator',
  'key',
] as const
export type RevocableKind = (typeof REVOCATION_KINDS)[number]

/** The kinds of entries. A workflow has none of its own: its executions and its other tokens have theirs. */
export const ENTRY_KINDS = ['token', 'registration', 'agent', 'client', 'execution', 'initiator', 'key'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

/**
 * Body of POST /admin/v1/revocations. `id` by kind: a `jti`; a `registration_id`; `client_id/agent_id`; a `client_id`;
 * an `execution_id`; `client_id/workflow_id`; a subject name; a key's thumbprint, or the `kid` of one of our own.
 */
export const revocationSchema = z.strictObject({
  kind: z.enum(REVOCATION_KINDS),
  id: z.string().min(1).max(336),
  reason: reasonSchema,
})
export type RevocationRequest = z.output<typeof revocationSchema>

export const revocationAnswerSchema = z.object({
  kind: z.enum(REVOCATION_KINDS),
  id: z.string(),
  /** What was revoked, by kind; `token` counts those that are dead because of what they descend from. */
  revoked: z.record(z.enum(REVOCATION_KINDS), z.int()),
  /** Delegations that were signed by what this ends, or descend from it: nothing is minted under them any more. */
  delegations: z.int(),
  /** Tokens that lived until now and that this stops by itself, without what was delegated from them. */
  live_tokens: z.int(),
  /** Counting ended at a limit: there are more. All of them are dead. */
  live_tokens_at_least: z.boolean(),
  revoked_at: z.string(),
  /** When the entry ends. What is `final` stays revoked after it. */
  ends_at: z.string(),
  final: z.boolean(),
  /** What this revocation cannot do by itself. */
  note: z.string().optional(),
})
export type RevocationAnswer = z.output<typeof revocationAnswerSchema>

/** One entry of GET /admin/v1/revocations. */
export const revocationViewSchema = z.object({
  kind: z.string(),
  id: z.string(),
  reason: z.string(),
  revoked_by: z.string(),
  at: z.string(),
  ends_at: z.string(),
  lifted_at: z.string().nullable(),
})
export type RevocationView = z.output<typeof revocationViewSchema>
