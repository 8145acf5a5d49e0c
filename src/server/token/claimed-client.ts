import { clientIdSchema } from '../../protocol/names.ts'
import { basicCredentials } from './basic-credentials.ts'
import type { TokenHttp } from './token-http.ts'

/** Who a request says it is, not verified: only for counting failures. Anything that is no client_id counts as one. */
export function claimedClient(http: TokenHttp): string {
  const [, basic = ''] = /^basic +(\S+)$/i.exec(http.authorization ?? '') ?? []
  return clientIdSchema.safeParse(basicCredentials(basic)?.client_id ?? http.body.client_id).data ?? ''
}

/** Whether a request authenticates by something that can be guessed. */
export function sendsSecret({ authorization, body }: TokenHttp): boolean {
  return /^basic /i.test(authorization ?? '') || body.client_secret !== undefined
}
