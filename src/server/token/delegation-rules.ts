import { type Access, isWithin } from '../../protocol/access.ts'
import { type Delegation, delegationRefused, MAX_HOPS } from '../../protocol/delegation.ts'
import { equalConstantTime } from '../../protocol/digest.ts'
import { agentSubject } from '../../protocol/names.ts'
import { CLOCK_SKEW, DELEGATION_FIRST_WINDOW, DELEGATION_LIFETIME_DEFAULT, epochSeconds } from '../../protocol/time.ts'
import type { StandingAbove, TokenAbove } from '../store/delegations.ts'

export type DelegationFacts = {
  readonly claims: Delegation
  readonly asked: { readonly client_id: string; readonly agent_id: string; readonly jkt: string }
  /** The parent token first, the root last. */
  readonly above: readonly TokenAbove[]
  /** The digest of what its delegator presented before under the same `jti`. */
  readonly presented_id: string | null
  /** Epoch seconds. */
  readonly now: number
  readonly notBefore: number
}

export type JudgedDelegation = {
  readonly parent: TokenAbove
  readonly workflow_step: string | null
  readonly within_step: boolean
  readonly chain: readonly string[]
  readonly ceilings: readonly Access[]
}

/**
 * The rules for an assertion (protocol.md section 6, Delegation) over the server's own record of its parent token and
 * of all tokens above that. Throws `delegation_unauthorized`.
 */
export function judgeDelegation(facts: DelegationFacts): JudgedDelegation {
  const [parent] = facts.above
  if (!parent || parent.client_id !== facts.asked.client_id) throw delegationRefused('delegation_parent_unknown')
  checkParties(facts, parent)
  checkRecord(facts)
  checkTimes(facts, parent)
  const chain = chainOf(facts)
  return { parent, chain, ...limitsOf(facts, parent) }
}

export type LapseReason =
  | 'delegation_revoked'
  | 'delegation_above_revoked'
  | 'delegation_above_suspended'
  | 'delegation_parent_unknown'

/**
 * Why nothing may be delegated from these tokens, or under this delegation, any more; undefined where it may. A version
 * that was superseded or retired takes nothing from what it had signed (attacks.md 66).
 */
export function lapseAbove(
  above: readonly TokenAbove[],
  standing: StandingAbove,
  { iat }: Pick<Delegation, 'iat'>,
  now: Date,
): LapseReason | undefined {
  const { agents, entry_ends_at, keys, presented_id, presented_revoked_at, tokens } = standing
  if (presented_revoked_at !== null) return 'delegation_revoked'
  if (tokens[0] < above.length) return 'delegation_parent_unknown'
  const { revoked_delegations, revoked_executions, revoked_versions } = standing
  if (tokens[1] + agents[1] + keys[1] + revoked_delegations + revoked_executions + revoked_versions > 0) {
    return 'delegation_above_revoked'
  }
  if (agents[0] > 0) return 'delegation_above_suspended'
  // At the first presentation an entry that stood when the assertion was signed counts also where it has ended since: it
  // covered the parent token to the last second of that. Later what it ended is marked (protocol.md section 9).
  const from = presented_id === null ? Math.min(iat * 1000, now.getTime()) : now.getTime()
  return entry_ends_at !== null && entry_ends_at.getTime() > from ? 'delegation_above_revoked' : undefined
}

/** Who delegates with which token and key, who may present it with which key, and under what the parent was minted. */
function checkParties({ claims, asked }: DelegationFacts, parent: TokenAbove): void {
  const { client_id, agent_id, jkt } = parent
  if (agent_id === null) throw delegationRefused('delegation_parent_not_agent')
  if (claims.iss !== agentSubject(client_id, agent_id)) throw delegationRefused('delegation_iss')
  if (claims.sub !== agentSubject(client_id, asked.agent_id)) throw delegationRefused('delegation_sub')
  if (jkt === null || !equalConstantTime(claims.signer.jkt, jkt)) throw delegationRefused('delegation_signer')
  if (!equalConstantTime(claims.jkt, asked.jkt)) throw delegationRefused('delegation_jkt')
  if ((claims.prev ?? null) !== parent.delegation_id) throw delegationRefused('delegation_prev')
  if ((claims.execution_id ?? null) !== parent.execution_id) throw delegationRefused('delegation_execution')
}

/** Whether the record above is whole: each token under its delegation, down to a root without one. */
function checkRecord({ claims, above, presented_id }: DelegationFacts): void {
  if (above.length > MAX_HOPS) throw delegationRefused('delegation_too_deep')
  const root = above.at(-1)
  const isWhole = above.every(token => (token.delegation_id === null) === (token.assertion === null))
  if (!isWhole || root?.parent_jti !== null || root.delegation_id !== null) {
    throw delegationRefused('delegation_parent_unknown')
  }
  if (presented_id !== null && presented_id !== claims.digest) throw delegationRefused('delegation_twin')
}

function checkTimes({ claims, above, presented_id, now, notBefore }: DelegationFacts, parent: TokenAbove): void {
  const { iat, exp } = claims
  if (iat > now + CLOCK_SKEW) throw delegationRefused('iat_future')
  if (exp <= now) throw delegationRefused('delegation_expired')
  if (iat < notBefore) throw delegationRefused('iat_before_epoch')
  // A restore forgot what was revoked since its backup.
  if (above.some(token => epochSeconds(token.issued_at) < notBefore)) throw delegationRefused('token_before_epoch')
  if (presented_id === null && iat < now - DELEGATION_FIRST_WINDOW) throw delegationRefused('delegation_late')
  if (iat < epochSeconds(parent.issued_at) - CLOCK_SKEW || iat >= epochSeconds(parent.expires_at)) {
    throw delegationRefused('delegation_parent_not_live')
  }
  const end = parent.delegation_expires_at ?? parent.execution_expires_at
  const latest = end ? epochSeconds(end) : iat + DELEGATION_LIFETIME_DEFAULT
  if (exp > latest) throw delegationRefused('delegation_too_long')
}

/** Root first, the delegate last; an agent occurs once. */
function chainOf({ claims, above, asked }: DelegationFacts): readonly string[] {
  const earlier = above.map(({ client_id, agent_id }) => {
    if (agent_id === null || client_id !== asked.client_id) throw delegationRefused('delegation_parent_unknown')
    return agentSubject(client_id, agent_id)
  })
  const chain = [...earlier.toReversed(), claims.sub]
  if (new Set(chain).size < chain.length) throw delegationRefused('delegation_loop')
  return chain
}

/** Within the parent's own step, or without a workflow, it attenuates; for another step it hands over, and limits. */
function limitsOf(
  { claims, above }: DelegationFacts,
  parent: TokenAbove,
): Pick<JudgedDelegation, 'workflow_step' | 'within_step' | 'ceilings'> {
  const workflow_step = claims.workflow_step ?? parent.workflow_step
  const within_step = workflow_step === parent.workflow_step
  if (!within_step && parent.execution_id === null) throw delegationRefused('delegation_step')
  const [resource] = claims.resource
  const own = [{ resource, scope: claims.scope }]
  const held = [{ resource: parent.resource, scope: parent.scope }]
  if (within_step && !isWithin(own, held)) throw delegationRefused('delegation_scope')
  const hops = above.flatMap(token => {
    const { assertion, delegated_step, delegated_resource, delegated_scope } = token
    const isSameStep = assertion !== null && delegated_step === workflow_step
    if (!isSameStep || delegated_resource === null || delegated_scope === null) return []
    return [[{ resource: delegated_resource, scope: delegated_scope }]]
  })
  return { workflow_step, within_step, ceilings: [own, ...(within_step ? [held] : []), ...hops] }
}
