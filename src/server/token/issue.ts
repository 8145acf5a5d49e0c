import { CompactSign } from 'jose'
import type { AccessTokenClaims } from '../../protocol/claims.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { epochSeconds } from '../../protocol/time.ts'
import { grantedDetails } from '../../protocol/workflow-request.ts'
import { auditTokenIssued, type Origin } from '../audit/events.ts'
import { type Context, transaction } from '../context.ts'
import type { Signer } from '../keys/keyring.ts'
import { enterGateShared } from '../store/gate.ts'
import { claimReplays, type ReplayClaim } from '../store/replay.ts'
import { lapsedStanding } from '../store/standing.ts'
import { insertToken } from '../store/tokens.ts'
import { askedByToken } from './asked.ts'
import type { Permitted } from './authorization.ts'
import { accessTokenClaims } from './claims.ts'
import { admitEndorsedKey } from './endorsed-key.ts'
import { lapseRefusal, SIGNING_KEY_REVOKED } from './lapse-refusal.ts'
import { auditRefusal, replayRefusal } from './refusal.ts'
import type { TokenAnswer } from './token-http.ts'
import { recordOf, standingOf } from './token-record.ts'
import { shownWorkflowId } from './workflow-name.ts'

/** protocol.md section 7: larger tokens break header limits on their way. */
const MAX_TOKEN_BYTES = 4096

/** Everything of a token but its record and its signature. */
export type PreparedToken = {
  readonly permitted: Permitted
  readonly claims: AccessTokenClaims
  readonly signer: Signer
  readonly issued_at: Date
}

/** Chooses key, `jti` and times. Throws `invalid_target` for a token that would be too large. */
export async function prepareToken(ctx: Context, permitted: Permitted): Promise<PreparedToken> {
  const signer = await ctx.keys.signer(permitted.target.signing_alg)
  const issued_at = ctx.now()
  const jti = ctx.randomId()
  const workflow_id = shownWorkflowId(ctx.keys.workflowNamesKey, permitted)
  const token = { iss: ctx.config.issuer, iat: epochSeconds(issued_at), jti, workflow_id }
  const claims = accessTokenClaims(permitted, token)
  // Header and signature are at most 512 bytes here (RS256); base64url is 4/3 of what it encodes.
  if (Math.ceil((JSON.stringify(claims).length * 4) / 3) + 512 > MAX_TOKEN_BYTES) {
    throw new OAuthError('invalid_target', 'The token would be too large; ask for fewer scopes.', {
      ajwt_error: 'token_too_large',
    })
  }
  return { permitted, claims, signer, issued_at }
}

/**
 * The one write of a mint, behind the revocation gate: claims every single use, reads again what the mint rests on,
 * records token and audit row; then signs. No token leaves before its record is durable (protocol.md sections 3 and 9).
 * Throws OAuthError where the write itself refuses; that refusal is recorded in the same transaction.
 */
export async function issue(
  ctx: Context,
  token: PreparedToken,
  replays: readonly ReplayClaim[],
  origin: Origin,
): Promise<TokenAnswer> {
  const refused = await transaction(ctx, tx => write(tx, token, replays, origin))
  if (refused) {
    // The node that met a revoked key of ours must not meet it again.
    if (refused.reason === SIGNING_KEY_REVOKED) await ctx.keys.refresh()
    throw refused
  }
  const { permitted, claims } = token
  const { agent } = permitted
  ctx.metrics.mints.inc({ grant: permitted.grant, token_profile: permitted.target.token_profile })
  return {
    body: {
      access_token: await sign(token),
      token_type: permitted.token_type,
      expires_in: permitted.lifetime,
      scope: claims.scope,
      // The client named its workflow itself: only the API may see another name.
      ...(agent?.workflow?.as_details && { authorization_details: grantedDetails(agent.workflow) }),
    },
  }
}

async function write(
  tx: Context,
  token: PreparedToken,
  replays: readonly ReplayClaim[],
  origin: Origin,
): Promise<OAuthError | undefined> {
  await enterGateShared(tx)
  const { client, agent, sub } = token.permitted
  const event = { ...origin, client_id: client.client_id, agent_id: agent?.agent_id ?? null }
  const refused =
    replayRefusal(await claimReplays(tx, replays)) ??
    lapseRefusal(await lapsedStanding(tx, standingOf(token), token.issued_at), agent !== undefined) ??
    (agent && (await admitEndorsedKey(tx, client, agent, token.issued_at)))
  if (refused) {
    await auditRefusal(tx, {
      error: refused,
      claims: replays,
      origin,
      client_id: event.client_id,
      agent_id: event.agent_id,
      asked: askedByToken(token),
    })
    return refused
  }
  await insertToken(tx, recordOf(token))
  await auditTokenIssued(tx, { ...event, jti: token.claims.jti, sub, details: issuedDetails(token) })
  return undefined
}

/** What a later reader needs to tell how this token came to be; never the token. */
function issuedDetails({ permitted, claims, signer }: PreparedToken): Readonly<Record<string, unknown>> {
  const { agent } = permitted
  return {
    grant: permitted.grant,
    resource: claims.aud,
    scope: claims.scope,
    token_profile: permitted.target.token_profile,
    kid: signer.kid,
    jkt: permitted.jkt ?? null,
    ...(agent && { registration_id: agent.registration_id, checksum: agent.checksum, intent: agent.intent }),
    ...(agent?.endorsement && { endorsed_by: agent.endorsement.signer.jkt }),
    ...(agent?.shim && { shim: agent.shim }),
  }
}

async function sign({ claims, signer, permitted }: PreparedToken): Promise<string> {
  const typ = permitted.target.token_profile === 'draft' ? 'JWT' : 'at+jwt'
  return await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: signer.alg, typ, kid: signer.kid })
    .sign(signer.key)
}
