import { OAuthError } from '../../protocol/errors.ts'
import type { Context } from '../context.ts'
import { claimedClient } from './claimed-client.ts'
import type { TokenHttp } from './token-http.ts'

/**
 * Runs the part of a request in which nobody is authenticated yet. A refusal claims nothing and is counted, not
 * written (protocol.md section 3); too many failed authentications of one client from one address are held back.
 */
export async function unauthenticatedPart<T>(
  ctx: Context,
  http: TokenHttp,
  endpoint: string,
  part: () => Promise<T>,
): Promise<T> {
  const key = `${claimedClient(http)}|${http.origin.address}`
  try {
    await ctx.brake.check(key)
    return await part()
  } catch (error) {
    if (error instanceof OAuthError) {
      ctx.metrics.refusals.inc({ reason: error.reason })
      ctx.unauthenticated.count({ endpoint, reason: error.reason, address: http.origin.address })
      if (error.code === 'invalid_client') await ctx.brake.failed(key)
    }
    throw error
  }
}
