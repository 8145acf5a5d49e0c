import * as z from 'zod/mini'
import type { ApprovalDetail, ApprovalView } from '../protocol/approval.ts'
import type { ExecutionStepView, ExecutionSummary, ExecutionView } from '../protocol/execution.ts'
import { exactly } from './shapes.ts'

/* The wire shapes of executions and approvals, each held to the server's own by its type. */

const text = z.string()
const maybeText = z.nullable(text)
const number = z.number()
const flag = z.boolean()
const fate = z.enum(['live', 'expired', 'revoked'])

const summaryMembers = {
  execution_id: text,
  client_id: text,
  workflow_id: text,
  workflow_version: number,
  initiated_by: text,
  intent_digest: maybeText,
  limits: z.object({ max_tokens: number, max_children: number, max_nodes: number }),
  status: z.enum(['open', 'closed', 'revoked', 'expired']),
  opened_at: text,
  opened_by: text,
  expires_at: text,
  ended_at: maybeText,
  tokens_minted: number,
}
export const executionSummaryShape = exactly<ExecutionSummary>()(z.object(summaryMembers))

const step = exactly<ExecutionStepView>()(
  z.object({
    step_id: text,
    agent_id: maybeText,
    required: flag,
    requires_approval: flag,
    approval_gate: flag,
    repeatable: flag,
    reversible: flag,
    dependencies: z.array(text),
    action: maybeText,
    state: z.enum(['waiting', 'open', 'entered', 'left', 'granted']),
    protected: flag,
    entries: number,
    tokens: number,
    entered_at: maybeText,
    left_at: maybeText,
  }),
)

export const executionShape = exactly<ExecutionView>()(
  z.object({
    ...summaryMembers,
    steps: z.array(step),
    edges: z.array(z.object({ from: text, to: text, kind: z.enum(['dependency', 'order']) })),
    tokens: z.array(
      z.object({
        jti: text,
        agent_id: maybeText,
        workflow_step: maybeText,
        resource: text,
        scope: text,
        parent_jti: maybeText,
        delegation_id: maybeText,
        approval_id: maybeText,
        issued_at: text,
        expires_at: text,
        status: fate,
      }),
    ),
    delegations: z.array(
      z.object({
        delegation_id: text,
        delegator: text,
        delegate: text,
        parent_jti: text,
        workflow_step: maybeText,
        scope: text,
        resource: text,
        chain: z.array(text),
        issued_at: text,
        expires_at: text,
        status: fate,
      }),
    ),
    approvals: z.array(
      z.object({
        approval_id: text,
        step_id: text,
        status: z.enum(['pending', 'granted', 'denied']),
        arguments_digest: maybeText,
        opened_at: text,
        decided_at: maybeText,
        decided_by: maybeText,
        consumed_at: maybeText,
      }),
    ),
  }),
)

const approvalMembers = {
  approval_id: text,
  execution_id: text,
  client_id: text,
  workflow_id: text,
  workflow_step: text,
  agent_id: text,
  initiated_by: text,
  resource: text,
  scope: text,
  arguments_digest: maybeText,
  status: z.enum(['pending', 'granted', 'denied', 'expired']),
  opened_at: text,
  expires_at: text,
  decided_at: maybeText,
  decided_by: maybeText,
  decision_reason: maybeText,
  consumed_at: maybeText,
}
export const approvalShape = exactly<ApprovalView>()(z.object(approvalMembers))
export const approvalDetailShape = exactly<ApprovalDetail>()(
  z.object({
    ...approvalMembers,
    arguments: maybeText,
    hidden_characters: flag,
    action: maybeText,
    step_access: z.nullable(z.array(z.object({ resource: text, scope: text }))),
    excluded_owners: z.array(text),
  }),
)
