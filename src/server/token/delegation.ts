import type { Access } from '../../protocol/access.ts'
import { type Delegation, delegationRefused, verifyDelegation } from '../../protocol/delegation.ts'
import { sha256 } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { ExecutionLimits } from '../../protocol/execution.ts'
import { rememberLast } from '../../protocol/remember-last.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { type StandingAbove, standingAbove, type TokenAbove } from '../store/delegations.ts'
import { Undone } from '../store/group-commit.ts'
import { type FirstPresentation, recordPresentation } from '../store/presentations.ts'
import { type RevocationRef, revocationRefs } from '../store/revocations.ts'
import { judgeDelegation, lapseAbove } from './delegation-rules.ts'
import type { PassContext } from './known-records.ts'

/** A delegation that holds: what the server's own record of the parent token makes of an assertion. */
export type ProvenDelegation = {
  readonly assertion: string
  readonly claims: Delegation
  /** Of delegator and delegate. */
  readonly client_id: string
  readonly parent: {
    readonly jti: string
    readonly workflow_id: string | null
    readonly workflow_step: string | null
    readonly execution_id: string | null
    readonly initiated_by: string | null
    /** Number of the entry of its step that it was minted in. */
    readonly step_entry: number | null
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
  /** The parent token first, the root last. */
  readonly above: readonly TokenAbove[]
  /** Everything by which a revocation could match one of the tokens above. */
  readonly refs: readonly RevocationRef[]
}

type Asked = { readonly client_id: string; readonly agent_id: string; readonly jkt: string | undefined }

/**
 * Row 9 of protocol.md section 6: an assertion against the server's own record of its parent token. Reads only. Throws
 * `delegation_unauthorized`.
 */
export async function proveDelegation(ctx: PassContext, assertion: string, asked: Asked): Promise<ProvenDelegation> {
  const { jkt } = asked
  // Without a proof nobody has shown to hold the key that it names.
  if (jkt === undefined) throw delegationRefused('delegation_without_proof')
  const claims = await verifyOnce(assertion, ctx.config.issuer)
  const above = await ctx.known.above(claims.parent_jti)
  const refs = refsOf(above)
  const standing = await ctx.known.standingAbove({ above, refs, claims })
  const { presented_id } = standing
  const now = epochSeconds(ctx.now())
  const { notBefore } = ctx
  const judged = judgeDelegation({ claims, asked: { ...asked, jkt }, above, presented_id, now, notBefore })
  const lapse = lapseAbove(above, standing, claims, ctx.now())
  if (lapse) throw delegationRefused(lapse)
  const { parent, workflow_step, within_step, chain, ceilings } = judged
  const { jti, client_id, workflow_id, execution_id, initiated_by, delegation_id, step_entry } = parent
  return {
    ...{ assertion, claims, client_id, workflow_step, within_step, chain, ceilings, above, refs },
    parent: {
      jti,
      workflow_id,
      workflow_step: parent.workflow_step,
      execution_id,
      initiated_by,
      delegation_id,
      step_entry,
    },
    proofs: [...above.flatMap(token => token.assertion ?? []).toReversed(), assertion],
    registered_keys: hasRegisteredKeys(above, standing),
    expires_at: new Date(claims.exp * 1000),
  }
}

const MOST_VERIFIED = 4096
const verified = new Map<string, Delegation>()

/** An assertion is presented with each mint, and says the same each time: its times are judged apart. */
async function verifyOnce(assertion: string, issuer: string): Promise<Delegation> {
  const name = sha256(`${issuer} ${assertion}`).toString('base64url')
  const known = verified.get(name) ?? (await verifyDelegation(assertion, issuer))
  rememberLast(verified, name, known, MOST_VERIFIED)
  return known
}

/** A delegation, and what stands above it as the mint's own write reads it, behind the gate. */
export type DelegationAgain = { readonly proven: ProvenDelegation; readonly standing: StandingAbove }

export async function readAgain(
  tx: Context,
  proven: ProvenDelegation | undefined,
): Promise<DelegationAgain | undefined> {
  return proven && { proven, standing: await standingAbove(tx, proven) }
}

/**
 * In the mint's write: judges again whether anything above it was revoked or suspended, records the first presentation,
 * and counts the children of its parent. `proofs`: the token shows the assertions. @returns why not
 */
export async function recordDelegation(
  tx: Context,
  { proven, standing }: DelegationAgain,
  { limits, proofs, now }: { readonly limits: ExecutionLimits; readonly proofs: boolean; readonly now: Date },
): Promise<OAuthError | undefined> {
  const { claims, above } = proven
  if (claims.exp <= epochSeconds(now)) return delegationRefused('delegation_expired')
  const lapse = lapseAbove(above, standing, claims, now)
  if (lapse) return delegationRefused(lapse)
  if (proofs && proven.registered_keys !== hasRegisteredKeys(above, standing)) throw new Undone()
  const { presented_id } = standing
  if (presented_id !== null) return twinOf(claims, presented_id)
  const { max_children } = limits
  const unrecorded = await recordPresentation(tx, { row: rowOf(proven, now), max_children })
  if (unrecorded === undefined) return undefined
  // One of several presentations at the same time: behind the parent's row it is known which was the first.
  if (unrecorded.presented_id !== undefined) return twinOf(claims, unrecorded.presented_id)
  return new OAuthError('delegation_unauthorized', 'The parent token has as many delegations as it may have.', {
    ajwt_error: 'limit_exceeded',
    reason: 'max_children',
    compared: { delegations_of_parent: unrecorded.children, max_children },
  })
}

function hasRegisteredKeys(above: readonly TokenAbove[], { keys }: StandingAbove): boolean {
  return keys[0] === above.length
}

/** The same assertion may be presented again; another one under its `jti` may not. */
function twinOf({ digest }: Delegation, presented_id: string): OAuthError | undefined {
  return presented_id === digest ? undefined : delegationRefused('delegation_twin')
}

function rowOf(proven: ProvenDelegation, now: Date): FirstPresentation['row'] {
  const { assertion, claims, client_id, parent, chain, workflow_step, expires_at } = proven
  return {
    delegation_id: claims.digest,
    client_id,
    delegator: claims.iss,
    delegate: claims.sub,
    jti: claims.jti,
    parent_jti: parent.jti,
    parent_delegation_id: parent.delegation_id,
    execution_id: parent.execution_id,
    workflow_step,
    delegator_jkt: claims.signer.jkt,
    jkt: claims.jkt,
    scope: claims.scope,
    resource: claims.resource[0],
    chain,
    assertion,
    issued_at: new Date(claims.iat * 1000),
    expires_at,
    presented_at: now,
  }
}

function refsOf(above: readonly TokenAbove[]): readonly RevocationRef[] {
  const refs = above.flatMap(revocationRefs)
  return [...new Map(refs.map(ref => [`${ref.kind}|${ref.id}`, ref])).values()]
}
