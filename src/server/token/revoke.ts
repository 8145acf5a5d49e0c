import { OAuthError } from '../../protocol/errors.ts'
import { auditTokenRevoked } from '../audit/events.ts'
import { type Context, transaction } from '../context.ts'
import { enterGateExclusive } from '../store/gate.ts'
import { claimReplays } from '../store/replay.ts'
import { revokeWithDescendants } from '../store/revocation-cascade.ts'
import { type AuthenticatedClient, authenticateClient } from './client-authentication.ts'
import { type OwnToken, readRevocableToken } from './own-token.ts'
import { recordRefusal, replayRefusal } from './refusal.ts'
import type { TokenAnswer, TokenHttp } from './token-http.ts'
import { readTokenParameter } from './token-parameter.ts'
import { unauthenticatedPart } from './unauthenticated.ts'

/**
 * RFC 7009: kills a token of the caller's and everything delegated from it, also where it has itself expired; 200 also
 * for what is none. Another client's token is refused and lives on. 503 when storage is in doubt: 200 means it is done.
 */
export async function revokeToken(ctx: Context, http: TokenHttp): Promise<TokenAnswer> {
  const { token, authenticated } = await unauthenticatedPart(ctx, http, async () => {
    const { token, credentials } = readTokenParameter(http.body)
    return {
      token,
      authenticated: await authenticateClient(
        { ...ctx, known: ctx.records.known(ctx, true) },
        http,
        credentials,
        false,
      ),
    }
  })
  const own = await readRevocableToken(ctx, token)
  const { client_id } = authenticated.client
  if (own && own.record.client_id !== client_id) {
    const error = new OAuthError('unauthorized_client', 'The token was issued to another client.', {
      reason: 'token_of_other_client',
    })
    throw await recordRefusal(ctx, {
      error,
      claims: authenticated.claims,
      client_id,
      agent_id: null,
      origin: http.origin,
    })
  }
  // A second revoke must not hold back every mint again for what is dead already.
  const living = own?.record.revoked_at === null ? own : undefined
  const refused = await transaction(ctx, tx => write(tx, authenticated, living, http))
  if (refused) throw refused
  return { body: {} }
}

async function write(
  tx: Context,
  { client, claims }: AuthenticatedClient,
  own: OwnToken | undefined,
  http: TokenHttp,
): Promise<OAuthError | undefined> {
  if (own) await enterGateExclusive(tx)
  const refused = replayRefusal(await claimReplays(tx, claims))
  if (refused || !own) return refused
  const { jti } = own.record
  const now = tx.now()
  const { client_id } = client
  const entry = { kind: 'token', id: jti } as const
  const ended = await revokeWithDescendants(tx, entry, { reason: 'client', revoked_by: client_id, now })
  const revoked = { token: 1 + ended.tokens, delegations: ended.delegations }
  await auditTokenRevoked(tx, { ...http.origin, client_id, jti, revoked })
  return undefined
}
