import type { Access } from '../../protocol/access.ts'
import { type Delegation, delegationRefused } from '../../protocol/delegation.ts'
import type { OAuthError } from '../../protocol/errors.ts'
import type { ExecutionLimits } from '../../protocol/execution.ts'
import type { Context } from '../context.ts'
import type { RevocationRef } from '../store/revocations.ts'

/** A delegation that holds: what the server's own record of the parent token makes of an assertion. */
export type ProvenDelegation = {
  readonly assertion: string
  readonly claims: Delegation
  readonly parent: {
    readonly jti: string
    readonly workflow_id: string | null
    readonly workflow_step: string | null
    readonly execution_id: string | null
    readonly initiated_by: string | null
    /** Of the assertion under which it was minted. */
    readonly delegation_id: string | null
  }
  /** The step it is for: the assertion's, else the parent's; null without a workflow. */
  readonly workflow_step: string | null
  /** It attenuates within the parent's own step, or without a workflow; else it hands over to another step. */
  readonly within_step: boolean
  /** Subject names, root first, the delegate last. */
  readonly chain: readonly string[]
  /** Assertions, root first, this one last. */
  readonly proofs: readonly string[]
  /** Every key that signed one of them is registered for its agent: then an API may be shown them. */
  readonly registered_keys: boolean
  /** Pairs within which the token must lie: this assertion's, and those of the hops of the same step. */
  readonly ceilings: readonly Access[]
  readonly expires_at: Date
  /** Everything by which a revocation could match one of the tokens above. */
  readonly refs: readonly RevocationRef[]
}

/**
 * Row 9 of protocol.md section 6: an assertion against the server's own record of its parent token. Reads only. Throws
 * `delegation_unauthorized`.
 */
export async function proveDelegation(
  _ctx: Context,
  _assertion: string,
  _asked: { readonly client_id: string; readonly agent_id: string; readonly jkt: string | undefined },
): Promise<ProvenDelegation> {
  throw delegationRefused('delegation_not_built')
}

/**
 * In the mint's write, behind the gate: reads again whether anything above it was revoked or suspended, records the
 * first presentation, and counts the children of its parent. @returns why not
 */
export async function recordDelegation(
  _tx: Context,
  _proven: ProvenDelegation,
  _rules: { readonly limits: ExecutionLimits; readonly now: Date },
): Promise<OAuthError | undefined> {
  return delegationRefused('delegation_not_built')
}
