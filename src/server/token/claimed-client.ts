import { peekClientId } from '../../protocol/client-assertion.ts'
import { clientIdSchema } from '../../protocol/names.ts'
import { basicCredentials } from './basic-credentials.ts'
import type { TokenHttp } from './token-http.ts'

/** Who a request says it is, not verified: only for counting failures. Anything that is no client_id counts as one. */
export function claimedClient(http: TokenHttp): string {
  const { client_id, client_assertion } = http.body
  const [, basic = ''] = /^basic +(\S+)$/i.exec(http.authorization ?? '') ?? []
  const claimed =
    basicCredentials(basic)?.client_id ??
    (typeof client_assertion === 'string' ? peekClientId(client_assertion) : client_id)
  return clientIdSchema.safeParse(claimed).data ?? ''
}
