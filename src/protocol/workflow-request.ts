import { z } from 'zod'
import { ARGUMENTS_MAX_BYTES, argumentsDigestSchema } from './approval.ts'
import { sha256Base64url } from './digest.ts'
import { OAuthError } from './errors.ts'
import { executionIdSchema } from './execution.ts'
import { canonicalJson } from './jcs.ts'
import { isJsonObject, type JsonValue } from './json.ts'

/** The type of our authorization details (RFC 9396 section 2). */
export const WORKFLOW_STEP_TYPE = 'urn:remit:workflow-step'

export type WorkflowRequest = {
  readonly workflow_id: string
  readonly workflow_step: string
  /** Whether the step came as authorization details, which are then returned as granted. */
  readonly as_details: boolean
  readonly execution_id?: string
  /** base64url SHA-256 of JCS(arguments), computed where the arguments themselves came. */
  readonly arguments_digest?: string
  /** JCS text of the arguments, where they came themselves and not only their digest. */
  readonly arguments?: string
}

export type WorkflowStepDetail = {
  readonly type: string
  readonly workflow_id: string
  readonly workflow_step: string
  readonly execution_id?: string
  readonly arguments_digest?: string
}

const detailSchema = z.strictObject({
  type: z.literal(WORKFLOW_STEP_TYPE),
  workflow_id: z.string().min(1).max(256),
  workflow_step: z.string().min(1).max(256),
  execution_id: executionIdSchema.optional(),
  arguments: z.custom<JsonValue>(isJsonObject).optional(),
  arguments_digest: argumentsDigestSchema.optional(),
})
type Detail = z.output<typeof detailSchema>

type Named = {
  readonly workflow_enabled?: boolean | undefined
  readonly workflow_id?: string | undefined
  readonly workflow_step?: string | undefined
  readonly execution_id?: string | undefined
}

/**
 * The step a request is for, from the plain parameters, an authorization detail, or both where they agree. Undefined:
 * no workflow. Throws `invalid_request` for half a request, `invalid_authorization_details` for a detail that is none.
 */
export function readWorkflowRequest(named: Named, details: JsonValue | undefined): WorkflowRequest | undefined {
  const detail = details === undefined ? undefined : readDetail(details)
  const { workflow_enabled, workflow_id = detail?.workflow_id, workflow_step = detail?.workflow_step } = named
  const { execution_id = detail?.execution_id } = named
  if (detail && (detail.workflow_id !== workflow_id || detail.workflow_step !== workflow_step)) throw halfRequest()
  if (detail?.execution_id !== undefined && detail.execution_id !== execution_id) throw halfRequest()
  if (workflow_id === undefined && workflow_step === undefined) {
    if (workflow_enabled || execution_id !== undefined) throw halfRequest()
    return undefined
  }
  if (workflow_id === undefined || workflow_step === undefined || workflow_enabled === false) throw halfRequest()
  return {
    workflow_id,
    workflow_step,
    as_details: detail !== undefined,
    ...(execution_id !== undefined && { execution_id }),
    ...(detail && argumentsOf(detail)),
  }
}

/** The details as granted (RFC 9396 section 7): never the arguments, which the caller has. */
export function grantedDetails(workflow: Omit<WorkflowRequest, 'arguments' | 'as_details'>): WorkflowStepDetail[] {
  const { workflow_id, workflow_step, execution_id, arguments_digest } = workflow
  return [
    {
      type: WORKFLOW_STEP_TYPE,
      workflow_id,
      workflow_step,
      ...(execution_id !== undefined && { execution_id }),
      ...(arguments_digest !== undefined && { arguments_digest }),
    },
  ]
}

function argumentsOf({ arguments: sent, arguments_digest }: Detail): Partial<WorkflowRequest> {
  if (sent === undefined) return arguments_digest === undefined ? {} : { arguments_digest }
  const text = canonicalJson(sent)
  if (Buffer.byteLength(text) > ARGUMENTS_MAX_BYTES) {
    throw malformedDetails('The arguments are larger than 32,768 bytes.', 'arguments_too_large')
  }
  const digest = sha256Base64url(text)
  if (arguments_digest !== undefined && arguments_digest !== digest) {
    throw malformedDetails('arguments_digest is not the digest of arguments.', 'arguments_digest_mismatch')
  }
  return { arguments: text, arguments_digest: digest }
}

function readDetail(details: JsonValue): Detail {
  const [first] = Array.isArray(details) && details.length === 1 ? details : []
  const detail = detailSchema.safeParse(first)
  if (detail.success) return detail.data
  throw malformedDetails('authorization_details must be one known workflow-step object.', 'malformed_details')
}

function malformedDetails(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_authorization_details', description, { reason })
}

function halfRequest(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'A workflow request names workflow_id and workflow_step, the same everywhere, without workflow_enabled false.',
    { reason: 'half_workflow_request' },
  )
}
