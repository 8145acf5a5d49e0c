import type { AccessTokenClaims } from '../../protocol/claims.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { epochSeconds } from '../../protocol/time.ts'
import { grantedDetails } from '../../protocol/workflow-request.ts'
import { auditTokenIssued, type Origin } from '../audit/events.ts'
import type { Context } from '../context.ts'
import type { Signer } from '../keys/keyring.ts'
import { signCompact } from '../keys/sign-compact.ts'
import { Undone } from '../store/group-commit.ts'
import { claimReplays, type ReplayClaim } from '../store/replay.ts'
import type { ReplayKind } from '../store/schema.ts'
import { type Lost, lapseOf } from '../store/standing.ts'
import { insertToken } from '../store/tokens.ts'
import { askedByToken } from './asked.ts'
import type { Endorsement, Permitted } from './authorization.ts'
import { accessTokenClaims } from './claims.ts'
import { type DelegationAgain, readAgain, recordDelegation } from './delegation.ts'
import { admitEndorsedKey } from './endorsed-key.ts'
import { enterStep } from './enter-step.ts'
import { enteredIntent } from './intent.ts'
import { type PassContext, STALE, type Stale, unlessUndone } from './known-records.ts'
import { lapseRefusal } from './lapse-refusal.ts'
import { auditRefusal, replayRefusal } from './refusal.ts'
import type { TokenAnswer } from './token-http.ts'
import { aloneOf, recordOf, standingOf } from './token-record.ts'
import { checkTokenSize } from './token-size.ts'
import { shownWorkflowId } from './workflow-name.ts'

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
  const claims = claimsOf(ctx, permitted, { iat: epochSeconds(issued_at), jti: ctx.randomId() })
  checkTokenSize(permitted, headerOf({ permitted, signer }), claims)
  return { permitted, claims, signer, issued_at }
}

function claimsOf(ctx: Context, permitted: Permitted, token: { iat: number; jti: string }): AccessTokenClaims {
  const workflow_id = shownWorkflowId(ctx.keys.workflowNamesKey, permitted)
  return accessTokenClaims(permitted, { iss: ctx.config.issuer, workflow_id, ...token })
}

/**
 * The one write of a mint, behind the revocation gate: claims every single use, reads again what the mint rests on,
 * records token and audit row; then signs. No token leaves before its record is durable (protocol.md sections 3 and 9).
 * Throws OAuthError where the write itself refuses; that refusal is recorded in the same transaction.
 */
export async function issue(
  ctx: PassContext,
  token: PreparedToken,
  replays: readonly ReplayClaim[],
  origin: Origin,
): Promise<TokenAnswer | Stale> {
  const rests = standingOf(token, ctx.known.rests())
  const written = await unlessUndone(
    ctx.commits.write(
      ctx,
      async tx => {
        const [lost, taken, delegation] = await Promise.all([
          lapseOf(tx, { ...rests, now: tx.now() }),
          claimReplays(tx, replays),
          readAgain(tx, token.permitted.agent?.delegation),
        ])
        // Where all was used before nothing is left behind as it is, and nobody else's work need be undone.
        if (ctx.known.mayBeStale() && taken.length > 0 && taken.length === replays.length) return STALE
        // What is read from the database now says what it is that changed; nothing of this is left behind.
        if (lost.changed || (lost.revoked.length > 0 && ctx.known.mayBeStale())) throw new Undone()
        const written = await write(tx, token, { lost, taken, delegation, replays, origin })
        // A refusal that rests on something kept would leave behind what was recorded on the way to it.
        if (written instanceof OAuthError && ctx.known.mayBeStale()) throw new Undone()
        return written
      },
      aloneOf(token),
    ),
  )
  if (written === STALE) return STALE
  if (written instanceof OAuthError) {
    ctx.metrics.refusals.inc({ reason: written.reason })
    // The node that met a revoked key of ours must not meet it again.
    if (written.reason === 'signing_key_revoked') await ctx.keys.refresh()
    throw written
  }
  const { permitted, claims } = written
  const { agent } = permitted
  ctx.metrics.mints.inc({ grant: permitted.grant, token_profile: permitted.target.token_profile })
  return {
    body: {
      access_token: await signCompact(written.signer, headerOf(written).typ, claims),
      ...(permitted.exchanged && { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' }),
      token_type: permitted.token_type,
      expires_in: permitted.lifetime,
      scope: claims.scope,
      ...(agent?.intent.execution_id !== undefined && { execution_id: agent.intent.execution_id }),
      // The client named its workflow itself: only the API may see another name.
      ...(agent?.workflow?.as_details && { authorization_details: grantedDetails(agent.workflow) }),
    },
  }
}

type Read = {
  readonly lost: Lost
  readonly taken: readonly ReplayKind[]
  readonly delegation: DelegationAgain | undefined
}

/** @returns the token as it was recorded: the step that it enters was judged again behind the execution's lock */
async function write(
  tx: Context,
  token: PreparedToken,
  { lost, taken, delegation, replays, origin }: Read & { replays: readonly ReplayClaim[]; origin: Origin },
): Promise<PreparedToken | OAuthError> {
  const { client, agent } = token.permitted
  const checked =
    replayRefusal(taken) ??
    lapseRefusal(lost.revoked[0], token.signer.kid, agent !== undefined) ??
    (agent?.endorsement && (await admitEndorsedKey(tx, endorsedOf(token, agent.endorsement)))) ??
    (delegation && (await recordDelegation(tx, delegation, delegationRules(token))))
  const entered = checked ?? (await enter(tx, token))
  const event = { ...origin, client_id: client.client_id, agent_id: agent?.agent_id ?? null }
  if (entered instanceof OAuthError) {
    await auditRefusal(tx, { ...event, error: entered, claims: replays, origin, asked: askedByToken(token) })
    return entered
  }
  await insertToken(tx, recordOf(entered))
  const { permitted, claims } = entered
  const execution_id = permitted.agent?.intent.execution_id ?? null
  const { jti } = claims
  await auditTokenIssued(tx, { ...event, execution_id, jti, sub: permitted.sub, details: issuedDetails(entered) })
  return entered
}

function endorsedOf({ permitted, issued_at }: PreparedToken, endorsement: Endorsement) {
  return { client: permitted.client, agent_id: permitted.agent?.agent_id ?? '', endorsement, now: issued_at }
}

function delegationRules({ permitted, issued_at }: PreparedToken) {
  const { agent, client, target } = permitted
  const proofs = target.chain_disclosure === 'proofs'
  return { limits: agent?.entry?.limits ?? client.policies.limits, proofs, now: issued_at }
}

/** The token with what its step turned out to be; unchanged without one. */
async function enter(tx: Context, token: PreparedToken): Promise<PreparedToken | OAuthError> {
  const { permitted, claims, issued_at } = token
  const { agent, client, target, scope } = permitted
  if (!agent?.entry || !agent.workflow) return token
  const asked = { client_id: client.client_id, agent_id: agent.agent_id, resource: target.resource, scope }
  const entered = await enterStep(tx, agent.entry, { ...asked, workflow: agent.workflow, now: issued_at })
  if (entered instanceof OAuthError) return entered
  const { execution_id } = entered
  const now: Permitted = {
    ...permitted,
    agent: {
      ...agent,
      workflow: { ...agent.workflow, execution_id },
      entry: { ...agent.entry, execution_id, judged: entered.judged },
      intent: enteredIntent(agent.intent, entered),
    },
  }
  return { ...token, permitted: now, claims: claimsOf(tx, now, claims) }
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
    ...(agent?.delegation && { delegation_id: agent.delegation.claims.digest, chain: agent.chain }),
  }
}

function headerOf({ permitted, signer }: Pick<PreparedToken, 'permitted' | 'signer'>) {
  const typ = permitted.target.token_profile === 'draft' ? 'JWT' : 'at+jwt'
  return { alg: signer.alg, typ, kid: signer.kid }
}
