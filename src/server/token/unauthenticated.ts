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
  const key = sendsSecret(http) ? `${claimedClient(http)}|${http.origin.address}` : undefined
  try {
    if (key !== undefined) await ctx.brake.check(key)
    return await part()
  } catch (error) {
    if (error instanceof OAuthError) {
      ctx.metrics.refusals.inc({ reason: error.reason })
      ctx.unauthenticated.count({ endpoint: http.endpoint, reason: error.reason, address: http.origin.address })
      if (key !== undefined && error.code === 'invalid_client') await ctx.brake.failed(key)
    }
    throw error
  }
}
