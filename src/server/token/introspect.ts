import type { Context } from '../context.ts'
import { claimReplays } from '../store/replay.ts'
import { findResource } from '../store/resources.ts'
import { revocationRefs, standingRevocation } from '../store/revocations.ts'
import { authenticateClient } from './client-authentication.ts'
import { type OwnToken, readOwnToken } from './own-token.ts'
import { replayRefusal } from './refusal.ts'
import type { TokenAnswer, TokenHttp } from './token-http.ts'
import { readTokenParameter } from './token-parameter.ts'
import { unauthenticatedPart } from './unauthenticated.ts'

const INACTIVE: TokenAnswer = { body: { active: false } }

/**
 * RFC 7662: the claims as issued, to the token's own client and to the resource's own client; exactly
 * `{"active": false}` to everyone else and for everything else (protocol.md section 7). 503, never a guess, when
 * storage is in doubt.
 */
export async function introspect(ctx: Context, http: TokenHttp): Promise<TokenAnswer> {
  const { token, client } = await unauthenticatedPart(ctx, http, async () => {
    const { token, credentials } = readTokenParameter(http.body)
    const { client, claims } = await authenticateClient(ctx, http, credentials, false)
    const replayed = replayRefusal(await claimReplays(ctx, claims))
    if (replayed) throw replayed
    return { token, client }
  })
  const own = await readOwnToken(ctx, token)
  if (!own || !(await mayKnow(ctx, own, client.client_id))) return INACTIVE
  if (await standingRevocation(ctx, revocationRefs(own.record), ctx.now())) return INACTIVE
  return { body: { active: true, token_type: own.record.token_type, ...own.claims } }
}

async function mayKnow(ctx: Context, { record }: OwnToken, client_id: string): Promise<boolean> {
  if (record.client_id === client_id) return true
  const resource = await findResource(ctx, record.resource)
  return resource?.status === 'active' && resource.client_id === client_id
}
