import { z } from 'zod'
import { OAuthError } from './errors.ts'
import type { JsonValue } from './json.ts'

/** The type of our authorization details (RFC 9396 section 2). */
export const WORKFLOW_STEP_TYPE = 'urn:remit:workflow-step'

export type WorkflowRequest = {
  readonly workflow_id: string
  readonly workflow_step: string
  /** Whether the step came as authorization details, which are then returned as granted. */
  readonly as_details: boolean
}

export type WorkflowStepDetail = { readonly type: string; readonly workflow_id: string; readonly workflow_step: string }

const NOT_BUILT = ['execution_id', 'arguments', 'arguments_digest'] as const
const detailSchema = z.strictObject({
  type: z.literal(WORKFLOW_STEP_TYPE),
  workflow_id: z.string().min(1).max(256),
  workflow_step: z.string().min(1).max(256),
})

type Named = {
  readonly workflow_enabled?: boolean | undefined
  readonly workflow_id?: string | undefined
  readonly workflow_step?: string | undefined
}

/**
 * The step a request is for, from the plain parameters, an authorization detail, or both where they agree. Undefined:
 * no workflow. Throws `invalid_request` for half a request, `invalid_authorization_details` for a detail that is none.
 */
export function readWorkflowRequest(named: Named, details: JsonValue | undefined): WorkflowRequest | undefined {
  const detail = details === undefined ? undefined : readDetail(details)
  const { workflow_enabled, workflow_id = detail?.workflow_id, workflow_step = detail?.workflow_step } = named
  if (detail && (detail.workflow_id !== workflow_id || detail.workflow_step !== workflow_step)) throw halfRequest()
  if (workflow_id === undefined && workflow_step === undefined) {
    if (workflow_enabled) throw halfRequest()
    return undefined
  }
  if (workflow_id === undefined || workflow_step === undefined || workflow_enabled === false) throw halfRequest()
  return { workflow_id, workflow_step, as_details: detail !== undefined }
}

/** The details as granted (RFC 9396 section 7). */
export function grantedDetails(workflow: WorkflowRequest): WorkflowStepDetail[] {
  const { workflow_id, workflow_step } = workflow
  return [{ type: WORKFLOW_STEP_TYPE, workflow_id, workflow_step }]
}

function readDetail(details: JsonValue): z.output<typeof detailSchema> {
  const [first] = Array.isArray(details) && details.length === 1 ? details : []
  if (typeof first === 'object' && first !== null && NOT_BUILT.some(name => Object.hasOwn(first, name))) {
    throw new OAuthError(
      'invalid_request',
      'Executions and arguments are not supported by this release; leave them out.',
      {
        reason: 'parameter_not_built',
      },
    )
  }
  const detail = detailSchema.safeParse(first)
  if (detail.success) return detail.data
  throw new OAuthError(
    'invalid_authorization_details',
    'authorization_details must be one known workflow-step object.',
    {
      reason: 'malformed_details',
    },
  )
}

function halfRequest(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'A workflow request names workflow_id and workflow_step, the same everywhere, without workflow_enabled false.',
    { reason: 'half_workflow_request' },
  )
}
