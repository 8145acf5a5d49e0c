import type { Config } from '../config.ts'
import { type Network, SYSTEM_NETWORK } from './connect.ts'
import { guardedRequest } from './guarded-request.ts'

/**
 * Sends JSON to a URL that somebody else chose, under the rules of `guardedFetch`. Of the answer the status alone
 * counts; its body is not read. @returns the status Throws FetchRefused.
 */
export async function guardedPost(
  ctx: { config: Pick<Config, 'allowPrivateFetch'> },
  url: string,
  { headers, body }: { headers: Readonly<Record<string, string>>; body: string },
  network: Network = SYSTEM_NETWORK,
): Promise<number> {
  const sent = { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
  const read = async ({ statusCode = 0 }: { statusCode?: number | undefined }) => statusCode
  return await guardedRequest(ctx, { url, method: 'POST', headers: sent, body, read }, network)
}
