import { OAuthError } from '../../protocol/errors.ts'
import type { Context } from '../context.ts'
import { claimedClient, sendsSecret } from './claimed-client.ts'
import type { TokenHttp } from './token-http.ts'

/**
 * Runs the part of a request in which nobody is authenticated yet. A refusal claims nothing and is counted, not
 * written (protocol.md section 3); too many failed authentications of one client from one address are held back.
 */
export async function unauthenticatedPart<T>(ctx: Context, http: TokenHttp, part: () => Promise<T>): Promise<T> {
  // Only secrets can be guessed: a client that signs must not be locked out by somebody who names it.
  const name = sendsSecret(http) ? claimedClient(http) : undefined
  const { address } = http.origin
  try {
    if (name !== undefined) ctx.limits.failures.check(name, address)
    return await part()
  } catch (error) {
    if (error instanceof OAuthError) {
      ctx.metrics.refusals.inc({ reason: error.reason })
      // Beyond its rate a client is known, and has a row of its own.
      if (error.reason !== 'client_rate') {
        ctx.unauthenticated.count({ endpoint: http.endpoint, reason: error.reason, address })
      }
      if (name !== undefined && error.code === 'invalid_client') ctx.limits.failures.failed(name, address)
    }
    throw error
  }
}
