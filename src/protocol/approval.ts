import { z } from 'zod'
import { reasonSchema } from './reason.ts'

/** base64url SHA-256 of JCS(arguments) (protocol.md section 6). */
export const argumentsDigestSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be a base64url SHA-256')

/** Most approvals of one execution and of one client that wait at once, and the largest arguments in bytes of JCS. */
export const OPEN_APPROVALS_MAX = 8
export const OPEN_APPROVALS_OF_CLIENT_MAX = 64
export const ARGUMENTS_MAX_BYTES = 32_768

/**
 * Body of POST /admin/v1/approvals/{id}: the digest of what the approver read, null where the step has no arguments.
 */
export const approvalDecisionSchema = z.strictObject({
  decision: z.enum(['grant', 'deny']),
  arguments_digest: argumentsDigestSchema.nullable(),
  reason: reasonSchema,
})
export type ApprovalDecision = z.output<typeof approvalDecisionSchema>

/** One item of GET /admin/v1/approvals. `expires_at` is the execution's. */
export const approvalSchema = z.object({
  approval_id: z.string(),
  execution_id: z.string(),
  client_id: z.string(),
  workflow_id: z.string(),
  workflow_step: z.string(),
  agent_id: z.string(),
  initiated_by: z.string(),
  /** First asked for; what is granted is the step. */
  resource: z.string(),
  scope: z.string(),
  arguments_digest: z.string().nullable(),
  /** `expired`: nobody decided while the execution was open. */
  status: z.enum(['pending', 'granted', 'denied', 'expired']),
  opened_at: z.string(),
  expires_at: z.string(),
  decided_at: z.string().nullable(),
  decided_by: z.string().nullable(),
  decision_reason: z.string().nullable(),
  consumed_at: z.string().nullable(),
})
export type ApprovalView = z.output<typeof approvalSchema>

/**
 * GET /admin/v1/approvals/{id}: with the exact arguments, as JCS text, so that what is shown is what was digested, and
 * the owners who may not decide.
 */
export const approvalDetailSchema = approvalSchema.extend({
  arguments: z.string().nullable(),
  /** The arguments have text that does not show as it is (protocol.md section 4). */
  hidden_characters: z.boolean(),
  action: z.string().nullable(),
  /** The ceiling of the step, all of which an approval opens; null: it has none of its own. */
  step_access: z.array(z.object({ resource: z.string(), scope: z.string() })).nullable(),
  excluded_owners: z.array(z.string()),
})
export type ApprovalDetail = z.output<typeof approvalDetailSchema>

/** Query of GET /admin/v1/approvals; absent: what waits. */
export const approvalFilterSchema = z.strictObject({
  status: z.enum(['pending', 'granted', 'denied', 'all']).default('pending'),
  execution_id: z.string().max(64).optional(),
})
export type ApprovalFilter = z.output<typeof approvalFilterSchema>
