import { OAuthError } from '../../protocol/errors.ts'
import { auditTokenRefused, type Origin } from '../audit/events.ts'
import type { Context } from '../context.ts'
import { claimReplays, type ReplayClaim } from '../store/replay.ts'
import type { ReplayKind } from '../store/schema.ts'
import type { Asked } from './asked.ts'

export type Refusal = {
  readonly error: OAuthError
  readonly claims: readonly ReplayClaim[]
  readonly client_id: string
  readonly agent_id: string | null
  readonly asked?: Asked
  readonly origin: Origin
}

/**
 * The one write of a refused request whose client was authenticated: claims its single uses and audits (protocol.md
 * section 3). What was taken before answers instead, whatever else was wrong.
 * @returns the refusal to answer with
 */
export async function recordRefusal(ctx: Context, refusal: Refusal): Promise<OAuthError> {
  const error = await ctx.commits.write(ctx, async tx => {
    const error = replayRefusal(await claimReplays(tx, refusal.claims)) ?? refusal.error
    await auditRefusal(tx, { ...refusal, error })
    return error
  })
  // A write may be done again.
  ctx.metrics.refusals.inc({ reason: error.reason })
  return error
}

/** Writes the audit row of a refusal. */
export async function auditRefusal(tx: Context, refusal: Refusal): Promise<void> {
  const { error, client_id, agent_id, asked, origin } = refusal
  const { missing_steps, approval_id, delegated_scope, compared } = error.details
  const execution_id = asked?.execution_id ?? error.details.execution_id ?? null
  const details = {
    error: error.code,
    ...(asked && { asked }),
    ...(missing_steps && { missing_steps }),
    ...(approval_id !== undefined && { approval_id }),
    ...(delegated_scope !== undefined && { delegated_scope }),
    ...(compared && { compared }),
  }
  await auditTokenRefused(tx, { ...origin, client_id, agent_id, execution_id, reason: error.reason, details })
}

/** How a second use is refused: the assertion first, then the proof. */
export function replayRefusal(taken: readonly ReplayKind[]): OAuthError | undefined {
  if (taken.includes('client_assertion')) {
    return new OAuthError('invalid_client', 'Client authentication failed.', { reason: 'assertion_replayed' })
  }
  if (taken.includes('dpop')) {
    return new OAuthError('invalid_dpop_proof', 'The DPoP proof is not valid for this request.', {
      reason: 'dpop_replayed',
    })
  }
  return undefined
}
