import type { DpopProof } from '../../../protocol/dpop.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import type { TokenExchangeRequest } from '../../../protocol/token-request.ts'
import type { Context } from '../../context.ts'
import type { Client } from '../../store/clients.ts'
import type { Authorization } from '../authorization.ts'

/**
 * Token exchange without an agent (RFC 8693; protocol.md section 6 (b)): a client-level token for a person or workload
 * of a trusted issuer, at `<issuer>` or `<issuer>/admin`. Reads only.
 */
export async function tokenExchangeGrant(
  _ctx: Context,
  _request: TokenExchangeRequest,
  _client: Client,
  _proof: DpopProof | undefined,
): Promise<Authorization> {
  throw new OAuthError('invalid_request', 'The subject token is not one that is accepted here.', {
    reason: 'subject_token_not_built',
  })
}
