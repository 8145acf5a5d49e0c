/** Why something was not fetched: for audit, metrics and log. */
export type FetchReason =
  | 'fetch_forbidden_url'
  | 'fetch_forbidden_address'
  | 'fetch_unreachable'
  | 'fetch_timeout'
  | 'fetch_status'
  | 'fetch_content_type'
  | 'fetch_encoding'
  | 'fetch_too_large'
  | 'fetch_malformed'

/** Thrown by `guardedFetch` alone; whoever calls it answers in the words of its own surface. */
export class FetchRefused extends Error {
  override readonly name = 'FetchRefused'
  readonly reason: FetchReason

  constructor(reason: FetchReason, cause?: unknown) {
    super(reason, { cause })
    this.reason = reason
  }
}
