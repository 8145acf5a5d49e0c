import { z } from 'zod'
import { WORKFLOW_CAUSES } from './workflow-causes.ts'

/** A step as an operator sees it, in the order of the definition. */
export const stepViewSchema = z.object({
  step_id: z.string(),
  agent_id: z.string().nullable(),
  action: z.string().nullable(),
  access: z.array(z.object({ resource: z.string(), scope: z.string() })).nullable(),
  dependencies: z.array(z.string()),
  required: z.boolean(),
  approval_gate: z.boolean(),
  requires_approval: z.boolean(),
})
export type StepView = z.output<typeof stepViewSchema>

export const workflowVersionViewSchema = z.object({
  version: z.number(),
  status: z.enum(['pending', 'active', 'superseded', 'rejected']),
  registered_at: z.string(),
  registered_by: z.string(),
  registered_owner: z.string(),
  approved_at: z.string().nullable(),
  approved_by: z.string().nullable(),
  rejected_at: z.string().nullable(),
  rejected_by: z.string().nullable(),
  reject_reason: z.string().nullable(),
  /** Of a pending one: what it loosens of the version that counts, or counted last. */
  pending_for: z.array(z.object({ cause: z.enum(WORKFLOW_CAUSES), step_id: z.string().nullable() })),
  steps: z.array(stepViewSchema),
})

/** GET /admin/v1/workflows/{client_id}/{workflow_id}: its newest versions, newest first. */
export const workflowDetailSchema = z.object({
  client_id: z.string(),
  workflow_id: z.string(),
  /** Of the client: like whoever registered a version, no approver of one. */
  owner: z.string(),
  status: z.enum(['active', 'deregistered', 'revoked']),
  /** The version that counts, 0 while none does. */
  version: z.number(),
  versions: z.array(workflowVersionViewSchema),
})
export type WorkflowDetail = z.output<typeof workflowDetailSchema>
