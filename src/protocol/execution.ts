import { z } from 'zod'
import { clientIdSchema, workflowIdSchema } from './names.ts'
import { EXECUTION_LIFETIME_MAX } from './time.ts'

/** 128 random bits behind a mark of their kind. */
export const executionIdSchema = z.string().regex(/^exe_[A-Za-z0-9_-]{22}$/, 'must be an execution_id')

/**
 * Of an execution (protocol.md section 6): tokens a step while it is entered, delegations from one token, tokens in all.
 */
export const executionLimitsSchema = z.strictObject({
  max_tokens: z.int().min(1).max(1_000),
  max_children: z.int().min(0).max(256),
  max_nodes: z.int().min(1).max(10_000),
})
export type ExecutionLimits = z.output<typeof executionLimitsSchema>

export const LIMITS_DEFAULT: ExecutionLimits = { max_tokens: 16, max_children: 16, max_nodes: 256 }

/** Limits as the command line takes them: `max_tokens=8,max_children=0,max_nodes=64`. */
export function limitsText({ max_tokens, max_children, max_nodes }: ExecutionLimits): string {
  return `max_tokens=${max_tokens},max_children=${max_children},max_nodes=${max_nodes}`
}

/** An opaque hash of what the user asked for; base64url or hex, never the request itself. */
const intentDigestSchema = z.string().regex(/^[A-Za-z0-9_-]{16,128}$/, 'must be a digest in base64url or hex')

/**
 * Body of POST /intent/executions. `expires_in` in seconds, by default an hour; `limits` only lower those of the client; a subject token
 * without its type is a JWT.
 */
export const executionOpenSchema = z.strictObject({
  workflow_id: workflowIdSchema,
  subject_token: z.string().min(1).max(16_384).optional(),
  subject_token_type: z.string().min(1).max(256).optional(),
  intent_digest: intentDigestSchema.optional(),
  expires_in: z.int().min(1).max(EXECUTION_LIFETIME_MAX).optional(),
  limits: executionLimitsSchema.partial().default({}),
})
export type ExecutionOpen = z.output<typeof executionOpenSchema>

export const EXECUTION_STATUSES = ['open', 'closed', 'revoked', 'expired'] as const

/** An execution without its steps: the answer of POST and one item of a list. Times are RFC 3339. */
export const executionSummarySchema = z.object({
  execution_id: z.string(),
  client_id: z.string(),
  workflow_id: z.string(),
  workflow_version: z.int(),
  initiated_by: z.string(),
  intent_digest: z.string().nullable(),
  limits: executionLimitsSchema,
  status: z.enum(EXECUTION_STATUSES),
  opened_at: z.string(),
  opened_by: z.string(),
  expires_at: z.string(),
  ended_at: z.string().nullable(),
  tokens_minted: z.int(),
})
export type ExecutionSummary = z.output<typeof executionSummarySchema>

/** `open`: may be entered now; `waiting`: something before it is missing. */
export const STEP_STATES = ['waiting', 'open', 'entered', 'left', 'granted'] as const

const stepViewSchema = z.object({
  step_id: z.string(),
  agent_id: z.string().nullable(),
  required: z.boolean(),
  requires_approval: z.boolean(),
  approval_gate: z.boolean(),
  repeatable: z.boolean(),
  reversible: z.boolean(),
  dependencies: z.array(z.string()),
  action: z.string().nullable(),
  state: z.enum(STEP_STATES),
  /** It needs an approval that it does not have. */
  protected: z.boolean(),
  entries: z.int(),
  tokens: z.int(),
  entered_at: z.string().nullable(),
  left_at: z.string().nullable(),
})
export type ExecutionStepView = z.output<typeof stepViewSchema>

const executionTokenSchema = z.object({
  jti: z.string(),
  agent_id: z.string().nullable(),
  workflow_step: z.string().nullable(),
  resource: z.string(),
  scope: z.string(),
  parent_jti: z.string().nullable(),
  delegation_id: z.string().nullable(),
  approval_id: z.string().nullable(),
  issued_at: z.string(),
  expires_at: z.string(),
  status: z.enum(['live', 'expired', 'revoked']),
})

const executionDelegationSchema = z.object({
  delegation_id: z.string(),
  delegator: z.string(),
  delegate: z.string(),
  parent_jti: z.string(),
  workflow_step: z.string().nullable(),
  scope: z.string(),
  resource: z.string(),
  chain: z.array(z.string()),
  issued_at: z.string(),
  expires_at: z.string(),
  status: z.enum(['live', 'expired', 'revoked']),
})

const executionApprovalSchema = z.object({
  approval_id: z.string(),
  step_id: z.string(),
  status: z.enum(['pending', 'granted', 'denied']),
  arguments_digest: z.string().nullable(),
  opened_at: z.string(),
  decided_at: z.string().nullable(),
  decided_by: z.string().nullable(),
  consumed_at: z.string().nullable(),
})

/** GET /intent/executions/{id} and GET /admin/v1/executions/{id}: steps in the order of the definition. */
export const executionViewSchema = executionSummarySchema.extend({
  steps: z.array(stepViewSchema),
  /** From a step to one that waits for it: a dependency, or a required step before it. */
  edges: z.array(z.object({ from: z.string(), to: z.string(), kind: z.enum(['dependency', 'order']) })),
  tokens: z.array(executionTokenSchema),
  delegations: z.array(executionDelegationSchema),
  approvals: z.array(executionApprovalSchema),
})
export type ExecutionView = z.output<typeof executionViewSchema>

/** Query of GET /admin/v1/executions. A workflow_id is a name within a client. */
export const executionFilterSchema = z
  .strictObject({
    client_id: clientIdSchema.optional(),
    workflow_id: workflowIdSchema.optional(),
    initiated_by: z.string().max(336).optional(),
    status: z.enum(EXECUTION_STATUSES).optional(),
  })
  .refine(filter => filter.workflow_id === undefined || filter.client_id !== undefined, {
    path: ['client_id'],
    message: 'workflow_id goes with the client_id of its client.',
  })
export type ExecutionFilter = z.output<typeof executionFilterSchema>
