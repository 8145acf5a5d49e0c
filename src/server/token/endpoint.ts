import { grants } from '../../protocol/access.ts'
import type { DpopProof } from '../../protocol/dpop.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../../protocol/grant-types.ts'
import { agentIdSchema } from '../../protocol/names.ts'
import {
  formAsJson,
  INTENT_GRANTS,
  isAgentRequest,
  OAUTH_GRANTS,
  parseTokenRequest,
  type TokenRequest,
} from '../../protocol/token-request.ts'
import type { Context } from '../context.ts'
import { askedOf } from './asked.ts'
import type { Authorization, Permitted } from './authorization.ts'
import { type AuthenticatedClient, authenticateClient } from './client-authentication.ts'
import { agentGrant } from './grants/agent.ts'
import { clientCredentialsGrant } from './grants/client-credentials.ts'
import { tokenExchangeGrant } from './grants/token-exchange.ts'
import { issue, type PreparedToken, prepareToken } from './issue.ts'
import { type PassContext, STALE, type Stale, unlessStale, withKnownRecords } from './known-records.ts'
import { applyPolicy } from './policy.ts'
import { recordRefusal } from './refusal.ts'
import { proofClaim, senderConstraint } from './sender-constraint.ts'
import type { TokenAnswer, TokenHttp } from './token-http.ts'
import { unauthenticatedPart } from './unauthenticated.ts'

/**
 * The one pass of both token endpoints (architecture.md section 3): parse, sender constraint, client, grant, policy,
 * then one write that claims, records and audits, and the signature. Throws OAuthError; 503 when storage is in doubt.
 */
export async function tokenEndpoint(ctx: Context, http: TokenHttp): Promise<TokenAnswer> {
  const stopTimer = ctx.metrics.mintSeconds.startTimer()
  const sent = await unauthenticatedPart(ctx, http, async () => {
    // Before anything of single use is taken: the client sends the same again.
    ctx.node.clock.mustAgree()
    return { request: parseRequest(http), proof: await senderConstraint(ctx, http) }
  })
  const { answer, grant } = await withKnownRecords(ctx, known => pass(known, http, sent))
  stopTimer({ grant })
  return answer
}

type Sent = { readonly request: TokenRequest; readonly proof: DpopProof | undefined }
type Minted = { readonly answer: TokenAnswer; readonly grant: Permitted['grant'] }

/** One pass with what is known: a token, a refusal, or `stale` where something that is kept in memory has changed. */
async function pass(ctx: PassContext, http: TokenHttp, { request, proof }: Sent): Promise<Minted | Stale> {
  const bearerAllowed = isAgentRequest(request)
  const authenticated = await unauthenticatedPart(ctx, http, () => {
    return unlessStale(ctx, authenticateClient(ctx, http, request.credentials, bearerAllowed))
  })
  if (authenticated === STALE) return STALE
  const claims = [...authenticated.claims, ...(proof ? [proofClaim(proof)] : [])]
  const decision = await decide(ctx, http, request, authenticated, proof)
  if (decision instanceof OAuthError) {
    if (ctx.known.mayBeStale()) return STALE
    const agent_id = agentIdSchema.safeParse(isAgentRequest(request) ? request.agent_id : undefined).data ?? null
    const client_id = authenticated.client.client_id
    const asked = await askedOf(ctx, request, authenticated.client, proof)
    throw await recordRefusal(ctx, { error: decision, claims, client_id, agent_id, asked, origin: http.origin })
  }
  const answer = await issue(ctx, decision, claims, http.origin)
  return answer === STALE ? STALE : { answer, grant: decision.permitted.grant }
}

function parseRequest(http: TokenHttp): TokenRequest {
  return http.dialect === 'oauth'
    ? parseTokenRequest(formAsJson(http.body), OAUTH_GRANTS)
    : parseTokenRequest(http.body, INTENT_GRANTS)
}

/** Everything between authentication and the write: a token to issue, or why not. Reads only. */
async function decide(
  ctx: PassContext,
  http: TokenHttp,
  request: TokenRequest,
  authenticated: AuthenticatedClient,
  proof: DpopProof | undefined,
): Promise<PreparedToken | OAuthError> {
  try {
    checkClientMayAsk(ctx, request, authenticated, proof)
    const proven = await authorizeGrant(ctx, http, request, authenticated, proof)
    return await prepareToken(ctx, applyPolicy(proven, proof, ctx.now()))
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
}

/** Row 3 of protocol.md section 6: the grant in the client's record, and a nonce where its policy asks for one. */
function checkClientMayAsk(
  ctx: Context,
  request: TokenRequest,
  { client }: AuthenticatedClient,
  proof: DpopProof | undefined,
): void {
  // Exchange with an agent_id is the agent grant, and needs both.
  const due = isAgentRequest(request) ? [request.grant_type, AGENT_GRANT] : [request.grant_type]
  if (!due.every(grant_type => client.grant_types.some(held => held === grant_type))) {
    throw new OAuthError('unauthorized_client', 'The client is not registered for this grant.', {
      compared: { grant_types_needed: [...new Set(due)].join(' ') },
    })
  }
  if (isAgentRequest(request) && !grants(client.access, ctx.config.issuer, 'generate:intent-token')) {
    throw new OAuthError('unauthorized_client', 'The client may not mint intent tokens.', {
      reason: 'no_intent_token_scope',
      compared: { scope_needed: `${ctx.config.issuer} generate:intent-token` },
    })
  }
  if (proof?.nonce === undefined && client.policies.dpop_nonce === 'required') {
    throw new OAuthError('use_dpop_nonce', 'The client must send a nonce; repeat with the DPoP-Nonce of this answer.', {
      reason: 'dpop_nonce_missing',
      compared: { nonce_sent: 'none' },
    })
  }
}

async function authorizeGrant(
  ctx: PassContext,
  http: TokenHttp,
  request: TokenRequest,
  { client }: AuthenticatedClient,
  proof: DpopProof | undefined,
): Promise<Authorization> {
  if (isAgentRequest(request))
    return await agentGrant(ctx, request, client, {
      ...{ proof, shim: http.shim, address: http.origin.address },
    })
  return request.grant_type === CLIENT_CREDENTIALS_GRANT
    ? await clientCredentialsGrant(ctx, request, client, proof)
    : await tokenExchangeGrant(ctx, request, client, proof)
}
