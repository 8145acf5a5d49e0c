import { MAX_HOPS } from '../../protocol/delegation.ts'
import type { ExecutionView } from '../../protocol/execution.ts'
import { parseSubjectName } from '../../protocol/names.ts'
import type { Context } from '../context.ts'
import { type ExecutionDelegationRow, type ExecutionTokenRow, standingAmong } from '../store/execution-reads.ts'
import type { ExecutionRow } from '../store/executions.ts'
import { type RevocationRef, revocationRefs } from '../store/revocations.ts'

type TokenView = ExecutionView['tokens'][number]
type DelegationView = ExecutionView['delegations'][number]
type Status = TokenView['status']
type Lasting = { readonly revoked_at: Date | null; readonly expires_at: Date }

/** Tokens with what has become of them: `revoked` for good, or while an entry stands that matches them. */
export async function tokenViews(ctx: Context, rows: readonly ExecutionTokenRow[], now: Date): Promise<TokenView[]> {
  const isRevoked = await revokedOf(ctx, rows.map(revocationRefs), now)
  return rows.map((row, at) => {
    const { jti, agent_id, workflow_step, resource, scope, parent_jti, delegation_id, approval_id } = row
    return {
      jti,
      agent_id,
      workflow_step,
      resource,
      scope,
      parent_jti,
      delegation_id,
      approval_id,
      issued_at: row.issued_at.toISOString(),
      expires_at: row.expires_at.toISOString(),
      status: statusOf(row, isRevoked[at] ?? false, now),
    }
  })
}

/** Delegations with what has become of them: nothing is minted under one that is `revoked`, nor below it. */
export async function delegationViews(
  ctx: Context,
  execution: Pick<ExecutionRow, 'execution_id' | 'initiated_by'>,
  rows: readonly ExecutionDelegationRow[],
  now: Date,
): Promise<DelegationView[]> {
  const isRevoked = await revokedOf(
    ctx,
    rows.map(row => refsOfDelegation(row, execution)),
    now,
  )
  const parents = new Map(rows.map(row => [row.delegation_id, row.parent_delegation_id]))
  const dead = new Set(rows.filter((row, at) => row.revoked_at !== null || isRevoked[at]).map(row => row.delegation_id))
  function isDead(delegation_id: string | null | undefined, hops = 0): boolean {
    if (!delegation_id || hops > MAX_HOPS) return false
    return dead.has(delegation_id) || isDead(parents.get(delegation_id), hops + 1)
  }
  return rows.map(row => {
    const { delegation_id, delegator, delegate, parent_jti, workflow_step, scope, resource, chain } = row
    return {
      delegation_id,
      delegator,
      delegate,
      parent_jti,
      workflow_step,
      scope,
      resource,
      chain: [...chain],
      issued_at: row.issued_at.toISOString(),
      expires_at: row.expires_at.toISOString(),
      status: statusOf(row, isDead(delegation_id), now),
    }
  })
}

function refsOfDelegation(
  { client_id, parent_jti, delegator, delegate, delegator_jkt, jkt }: ExecutionDelegationRow,
  { execution_id, initiated_by }: Pick<ExecutionRow, 'execution_id' | 'initiated_by'>,
): readonly RevocationRef[] {
  const agents = [delegator, delegate].flatMap(subject => {
    const name = parseSubjectName(subject)
    return name?.kind === 'agent' ? [`${name.client_id}/${name.agent_id}`] : []
  })
  return [
    { kind: 'token', id: parent_jti },
    { kind: 'client', id: client_id },
    { kind: 'execution', id: execution_id },
    { kind: 'initiator', id: initiated_by },
    { kind: 'key', id: delegator_jkt },
    { kind: 'key', id: jkt },
    ...agents.map((id): RevocationRef => ({ kind: 'agent', id })),
  ]
}

/** For each of these groups whether an entry stands that matches one of it, asked for all of them at once. */
async function revokedOf(
  ctx: Context,
  groups: readonly (readonly RevocationRef[])[],
  now: Date,
): Promise<readonly boolean[]> {
  const asked = new Map(groups.flat().map(ref => [keyOf(ref), ref]))
  const standing = new Set((await standingAmong(ctx, [...asked.values()], now)).map(keyOf))
  return groups.map(group => group.some(ref => standing.has(keyOf(ref))))
}

function keyOf({ kind, id }: RevocationRef): string {
  return `${kind} ${id}`
}

function statusOf({ revoked_at, expires_at }: Lasting, isRevoked: boolean, now: Date): Status {
  if (revoked_at !== null || isRevoked) return 'revoked'
  return expires_at <= now ? 'expired' : 'live'
}
