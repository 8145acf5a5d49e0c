import { z } from 'zod'
import { accessSchema } from './access.ts'
import { agentIdSchema, clientIdSchema, stepIdSchema, workflowIdSchema } from './names.ts'

/** Most steps of one workflow. */
export const MAX_STEPS = 256

/** Most dependencies of its steps together. */
export const MAX_DEPENDENCIES = 1024

const stepRulesSchema = z.strictObject({
  agent_id: agentIdSchema.optional(),
  required: z.boolean().default(false),
  requires_approval: z.boolean().default(false),
  approval_gate: z.boolean().default(false),
  access: accessSchema.optional(),
  dependencies: z.array(stepIdSchema).max(MAX_STEPS).default([]),
  action: z.string().max(256).optional(),
  /** Recorded: may be entered again after it was left; absent: false (section 6). */
  repeatable: z.boolean().optional(),
  /** Recorded: `false` lets one token be minted each time it is entered; absent: true. */
  reversible: z.boolean().optional(),
})

/** A step with its id, as stored: always an array in order. */
export type WorkflowStep = z.output<typeof stepRulesSchema> & { step_id: string }

const stepArraySchema = z.array(stepRulesSchema.extend({ step_id: stepIdSchema }))

/** An object in order stands for an array; integer-like keys are refused because JavaScript would reorder them. */
const stepObjectSchema = z
  .record(
    stepIdSchema.refine(id => !/^(0|[1-9]\d*)$/.test(id), 'A step id of digits only has no order; send an array.'),
    stepRulesSchema,
  )
  .transform(steps => Object.entries(steps).map(([step_id, rules]) => ({ ...rules, step_id })))

/** Body of POST /intent/register/workflow (protocol.md section 5). */
export const workflowRegistrationSchema = z.strictObject({
  workflow_id: workflowIdSchema,
  app_id: clientIdSchema.optional(),
  steps: z
    .union([stepArraySchema, stepObjectSchema])
    .refine(steps => steps.length > 0 && steps.length <= MAX_STEPS, `A workflow has 1 to ${MAX_STEPS} steps.`),
})
export type WorkflowRegistration = z.output<typeof workflowRegistrationSchema>

/** Most workflows of one POST /intent/batch_register/workflow: all or nothing. */
export const WORKFLOW_BATCH_MAX = 64

/** Query of POST /intent/deregister/workflow. `close=true` ends its open executions, which otherwise forbid it. */
export const workflowDeregistrationSchema = z.strictObject({
  workflow_id: workflowIdSchema,
  app_id: clientIdSchema.optional(),
  close: z.enum(['true', 'false']).optional(),
})
export type WorkflowDeregistration = z.output<typeof workflowDeregistrationSchema>

export const workflowAnswerSchema = z.object({
  status: z.enum(['registered', 'skipped', 'pending', 'rejected']),
  workflow_id: z.string(),
  version: z.number(),
})
export type WorkflowAnswer = z.output<typeof workflowAnswerSchema>

/** The answers of a batch, in its order. */
export const workflowBatchAnswerSchema = z.object({ workflows: z.array(workflowAnswerSchema) })
export type WorkflowBatchAnswer = z.output<typeof workflowBatchAnswerSchema>

export const workflowDeregisteredSchema = z.object({
  status: z.literal('deregistered'),
  workflow_id: z.string(),
  version: z.number(),
  /** Executions that `close` ended. */
  closed: z.int(),
})
