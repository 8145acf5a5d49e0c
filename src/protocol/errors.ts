/**
 * Error codes as they stand on the wire: RFC 6749 section 5.2, RFC 6750 section 3.1, RFC 8707, RFC 9396, RFC 9449,
 * and the codes of draft-goswami-agentic-jwt-00. protocol.md section 10.
 */
export const ERROR_CODES = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'invalid_authorization_details',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'invalid_token',
  'insufficient_scope',
  'intent_denied',
  'revocation_unknown',
  'temporarily_unavailable',
  'server_error',
  'unknown_agent',
  'agent_checksum_mismatch',
  'invalid_shim',
  'workflow_step_unauthorized',
  'delegation_unauthorized',
  'duplicate_agent',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/** The precise cause beside a general code, told only to the client whose agent it is (protocol.md section 10). */
export const AJWT_ERRORS = [
  'unknown_agent',
  'agent_checksum_mismatch',
  'agent_key_mismatch',
  'invalid_shim',
  'workflow_step_unauthorized',
  'approval_pending',
  'approval_required',
  'approval_denied',
  'limit_exceeded',
  'workflow_required',
  'delegation_unauthorized',
  'token_too_large',
] as const
export type AjwtError = (typeof AJWT_ERRORS)[number]

/** One item of a batch that was refused as a whole, in the order of the request. */
export type BatchResult = {
  readonly agent_id?: string
  readonly workflow_id?: string
  /** `not_registered`: nothing is wrong with this one. */
  readonly status: 'refused' | 'not_registered'
  readonly error?: ErrorCode
  readonly error_description?: string
  /** Of a duplicate, as in `ErrorDetails`. */
  readonly registration_id?: string
  readonly existing_agent_id?: string
  readonly checksum?: string
}

/**
 * Both sides of a comparison that refused, by name, for the audit row and `remit explain` alone: numbers, thumbprints,
 * checksums and names of the registry, never other words of a caller (attack 111).
 */
export type Compared = Readonly<Record<string, string | number>>

export type ErrorDetails = {
  /** What failed, for audit and metrics only: a literal from the code, never input. Default: ajwt_error, else the code. */
  reason?: string
  ajwt_error?: AjwtError
  missing_steps?: readonly string[]
  approval_id?: string
  /** Owner-only members of a registration answer (protocol.md section 4). */
  registration_id?: string
  existing_agent_id?: string
  /** In the form of a registration answer: who repeats one that was lost goes on with it. */
  checksum?: string
  /** What a delegation leaves of the client's access at the resource, for the audit row alone. */
  delegated_scope?: string
  /** Of the mint's own, where the request did not name it, for the audit row alone. */
  execution_id?: string
  compared?: Compared
  /** Of a refused batch, what each item is. */
  results?: readonly BatchResult[]
  /** Of the server's answer, as the shim heard it: for `remit explain`. */
  request_id?: string
  /** Seconds for Retry-After, with 429 and 503. */
  retry_after?: number
  /** For DPoP-Nonce, with `use_dpop_nonce` of a resource. */
  dpop_nonce?: string
  /** Where a code has another status than its usual one. */
  status?: 400 | 409 | 413 | 415 | 429 | 503
  cause?: unknown
}

/** A refusal with its wire code and one plain sentence. Everything else that is thrown is a bug (500) or storage (503). */
export class OAuthError extends Error {
  override readonly name = 'OAuthError'
  readonly code: ErrorCode
  readonly reason: string
  readonly details: ErrorDetails

  constructor(code: ErrorCode, description: string, details: ErrorDetails = {}) {
    super(description, { cause: details.cause })
    this.code = code
    this.reason = details.reason ?? details.ajwt_error ?? code
    this.details = details
  }
}

/** The two token endpoints answer in different vocabularies (protocol.md section 6, table). */
export type Dialect = 'oauth' | 'intent'

export type WireError = {
  status: number
  body: {
    error: ErrorCode
    error_description: string
    ajwt_error?: AjwtError
    missing_steps?: readonly string[]
    approval_id?: string
    registration_id?: string
    existing_agent_id?: string
    checksum?: string
    results?: readonly BatchResult[]
  }
}

const INTENT_STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_authorization_details: 400,
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  intent_denied: 403,
  revocation_unknown: 401,
  temporarily_unavailable: 503,
  server_error: 500,
  unknown_agent: 401,
  agent_checksum_mismatch: 401,
  invalid_shim: 400,
  workflow_step_unauthorized: 403,
  delegation_unauthorized: 403,
  duplicate_agent: 400,
}

/** Codes that stock clients do not know, and what stands for them at /oauth/token (400). */
const OAUTH_CODE: Partial<Record<ErrorCode, { error: ErrorCode; ajwt_error: AjwtError }>> = {
  unknown_agent: { error: 'invalid_grant', ajwt_error: 'unknown_agent' },
  agent_checksum_mismatch: { error: 'invalid_grant', ajwt_error: 'agent_checksum_mismatch' },
  invalid_shim: { error: 'invalid_grant', ajwt_error: 'invalid_shim' },
  workflow_step_unauthorized: { error: 'invalid_authorization_details', ajwt_error: 'workflow_step_unauthorized' },
  delegation_unauthorized: { error: 'invalid_grant', ajwt_error: 'delegation_unauthorized' },
}

/** Status and JSON body of a refusal in the vocabulary of one endpoint. protocol.md section 10. */
export function wireError(error: OAuthError, dialect: Dialect): WireError {
  const stock = dialect === 'oauth' ? OAUTH_CODE[error.code] : undefined
  const code = stock?.error ?? error.code
  const ajwt_error = error.details.ajwt_error ?? stock?.ajwt_error
  const { missing_steps, approval_id, registration_id, existing_agent_id, checksum, results } = error.details
  return {
    status: error.details.status ?? INTENT_STATUS[code],
    body: {
      error: code,
      error_description: error.message,
      ...(ajwt_error && ajwt_error !== code && { ajwt_error }),
      ...(missing_steps && { missing_steps }),
      ...(approval_id && { approval_id }),
      ...(registration_id && { registration_id }),
      ...(existing_agent_id && { existing_agent_id }),
      ...(checksum && { checksum }),
      ...(results && { results }),
    },
  }
}
