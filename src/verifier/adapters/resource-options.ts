import type { ReplayCache } from '../replay-cache.ts'
import type { VerifierOptions } from '../verify.ts'

/** What every adapter is told of the API that it protects. */
export type ResourceOptions = Omit<VerifierOptions, 'replayCache'> & {
  readonly replayCache?: ReplayCache
  /**
   * What clients put before the request target: the origin of `audience` unless told. Behind a proxy that takes a path
   * prefix away, the URL with that prefix. Never read from a Host header.
   */
  readonly publicUrl?: string
  /** For the RFC 9728 document. */
  readonly scopes_supported?: readonly string[]
  readonly resource_name?: string
  /** Whether the document says that every token here is bound to a key; true unless told. */
  readonly dpop_bound_access_tokens_required?: boolean
  /** Bytes that are read of a body that a proof or a rule names; 1 MiB unless told. */
  readonly maxBodyBytes?: number
  /** Where faults of the server itself are told to its developer; standard error unless told. */
  readonly log?: (message: string, cause?: unknown) => void
}
