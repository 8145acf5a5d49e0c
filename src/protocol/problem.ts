import type { Compared } from './errors.ts'

/** Codes of the admin API's problem documents; each has one status. RFC 9457. */
const STATUS = {
  invalid_request: 400,
  /** RFC 7591 section 3.2.2: the keys behind a jwks_uri. */
  invalid_client_metadata: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  idempotency_key_reused: 422,
} as const

export type ProblemCode = keyof typeof STATUS

/** A refusal of the admin API: its code, one plain sentence that says what to do next, and the reason for the audit. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly status: number
  readonly reason: string
  readonly details: { readonly compared?: Compared }

  constructor(
    code: ProblemCode,
    detail: string,
    reason: string = code,
    details: { readonly compared?: Compared } = {},
  ) {
    super(detail)
    this.code = code
    this.status = STATUS[code]
    this.reason = reason
    this.details = details
  }
}
