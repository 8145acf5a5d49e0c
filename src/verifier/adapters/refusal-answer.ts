import type { ServerResponse } from 'node:http'
import { OAuthError, wireError } from '../../protocol/errors.ts'
import { challenge } from '../challenge.ts'
import { resourceStatus } from '../resource-status.ts'
import type { RouteRule } from '../route-rule.ts'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Refused = {
  /** The Authorization header, for the scheme of the challenge. */
  readonly authorization?: string | undefined
  readonly resource_metadata: string
  readonly rule?: RouteRule | undefined
}

const RETRY_AFTER_SECONDS = 2

/**
 * What a refused request is answered (RFC 6750 section 3, RFC 9449 sections 7.1 and 9, RFC 9728 section 5.1). What is no
 * refusal is a fault of the server: 500, and nothing of it goes out.
 */
export function refusalAnswer(error: unknown, refused: Refused): Answer {
  if (!(error instanceof OAuthError)) return jsonAnswer(500, FAULT)
  const { body } = wireError(error, 'intent')
  const status = resourceStatus(error)
  const retry_after = error.details.retry_after ?? (status === 503 ? RETRY_AFTER_SECONDS : undefined)
  return jsonAnswer(status, body, {
    ...(retry_after !== undefined && { 'retry-after': String(retry_after) }),
    ...(error.details.dpop_nonce !== undefined && { 'dpop-nonce': error.details.dpop_nonce }),
    ...(isChallenged(error, status) && { 'www-authenticate': challengeOf(error, refused) }),
    // What is left of such a body would stand before the next request.
    ...(status === 413 && { connection: 'close' }),
  })
}

const FAULT = { error: 'server_error', error_description: 'The request could not be judged.' }

function isChallenged({ code }: OAuthError, status: number): boolean {
  return status === 401 || code === 'insufficient_scope'
}

/** Whoever sent a Bearer token is answered in its words, unless the token must not be one. */
function challengeOf(error: OAuthError, { authorization, resource_metadata, rule }: Refused): string {
  const isBearer = /^bearer /i.test(authorization ?? '') && error.reason !== 'bound_token_as_bearer'
  const scope = rule?.scope && { scope: rule.scope.join(' ') }
  return challenge(error, { scheme: isBearer ? 'Bearer' : 'DPoP', resource_metadata, ...scope })
}

/** Nobody keeps an answer unless `headers` say so. */
export function jsonAnswer(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Answer {
  const usual = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return { status, headers: { ...usual, ...headers }, body: JSON.stringify(body) }
}

export function writeAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
}
