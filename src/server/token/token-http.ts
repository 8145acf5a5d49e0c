import type { Dialect } from '../../protocol/errors.ts'
import type { JsonValue } from '../../protocol/json.ts'
import type { Origin } from '../audit/events.ts'

/** A request to the token, introspection or revocation endpoint, as the pass sees it: parsed, but nothing believed. */
export type TokenHttp = {
  readonly dialect: Dialect
  /** The route's path, one of a fixed few: for counting. */
  readonly endpoint: string
  readonly body: Readonly<Record<string, JsonValue>>
  readonly authorization?: string
  readonly dpop?: string
  /** base64url SHA-256 of the bytes of the body. */
  readonly bodyDigest: string
  /** Header `Accept`: introspection has two forms. */
  readonly accept?: string
  /** Header `X-Shim-Checksum`. */
  readonly shim?: string
  /** The endpoint's public URL from configuration, never from the Host header. */
  readonly htu: string
  readonly origin: Origin
  /** Counts the request of a client that was authenticated, once whatever it takes. Throws 429 beyond its rate. */
  readonly limitClient: (client_id: string) => void
  /** Checks a Bearer token of ours that stands for its client ([D]). Throws `invalid_token`. */
  readonly verifyBearer: (token: string) => Promise<{ client_id: string }>
}

export type TokenAnswer = { readonly body: Readonly<Record<string, unknown>> }
