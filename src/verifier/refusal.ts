import type { ErrorCode } from '../protocol/errors.ts'

/** What a resource refused, for `onRefusal`: machine words only, no token, no proof, no body. */
export type Refusal = {
  readonly code: ErrorCode
  /** Which check: a literal of the code. */
  readonly reason: string
  readonly status: number
  /** Known once the token's signature held. */
  readonly client_id?: string
  readonly jti?: string
}
