import { type Selectable, sql } from 'kysely'
import type { ExecutionFilter } from '../../protocol/execution.ts'
import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { EXECUTION_COLUMNS, type ExecutionRow } from './executions.ts'
import type { RevocationRef } from './revocations.ts'
import type { ApprovalTable, DelegationTable } from './schema-execution.ts'
import type { TokenTable } from './schema-token.ts'

/** Most tokens, delegations and approvals that are shown of one execution: the newest. */
export const SHOWN_OF_EXECUTION = 1_000

/** A place in the list: executions opened in one instant are told apart by their ids. */
export type ExecutionPlace = { readonly opened_at: Date; readonly execution_id: string }

/**
 * Executions, the newest first, those before `before`: all of them (index execution_by_time), those of a client (index
 * execution_by_client) or of an initiator (index execution_by_initiator); `workflow_id` narrows what a client has. By
 * status: `closed` and `revoked` (index execution_ended); `open` is what has not expired at `now`, so that it was opened
 * within a day (index execution_by_time); `expired` is what was never ended, most of what is older.
 */
export async function listExecutions(
  ctx: Context,
  filter: ExecutionFilter,
  page: { readonly before?: ExecutionPlace; readonly limit: number; readonly now: Date },
): Promise<readonly ExecutionRow[]> {
  const { before, limit, now } = page
  const { status, ...equal } = filter
  let query = ctx.db
    .selectFrom('execution')
    .select(EXECUTION_COLUMNS)
    .orderBy('opened_at', 'desc')
    .orderBy('execution_id', 'desc')
    .limit(limit)
  for (const name of ['client_id', 'workflow_id', 'initiated_by'] as const) {
    const value = equal[name]
    if (value !== undefined) query = query.where(name, '=', value)
  }
  if (status === 'closed' || status === 'revoked') query = query.where('status', '=', status)
  if (status === 'expired') query = query.where('status', '=', 'open').where('expires_at', '<=', now)
  if (status === 'open') {
    const since = new Date(now.getTime() - EXECUTION_LIFETIME_MAX * 1000)
    query = query.where('status', '=', 'open').where('expires_at', '>', now).where('opened_at', '>', since)
  }
  if (before) {
    const { opened_at, execution_id } = before
    query = query.where(eb => eb(eb.refTuple('opened_at', 'execution_id'), '<', eb.tuple(opened_at, execution_id)))
  }
  return await query.execute()
}

const TOKEN_COLUMNS = [
  'jti',
  'client_id',
  'sub',
  'resource',
  'scope',
  'kid',
  'jkt',
  'agent_id',
  'registration_id',
  'workflow_step',
  'execution_id',
  'parent_jti',
  'initiated_by',
  'delegation_id',
  'approval_id',
  'revoked_at',
  'issued_at',
  'expires_at',
] as const
export type ExecutionTokenRow = Pick<Selectable<TokenTable>, (typeof TOKEN_COLUMNS)[number]>

/** The newest tokens of an execution, newest first (index token_by_execution). */
export async function listExecutionTokens(ctx: Context, execution_id: string): Promise<readonly ExecutionTokenRow[]> {
  return await ctx.db
    .selectFrom('token')
    .select(TOKEN_COLUMNS)
    .where('execution_id', '=', execution_id)
    .orderBy('issued_at', 'desc')
    .orderBy('jti')
    .limit(SHOWN_OF_EXECUTION)
    .execute()
}

const DELEGATION_COLUMNS = [
  'delegation_id',
  'client_id',
  'delegator',
  'delegate',
  'parent_jti',
  'parent_delegation_id',
  'workflow_step',
  'delegator_jkt',
  'jkt',
  'scope',
  'resource',
  'chain',
  'issued_at',
  'expires_at',
  'revoked_at',
] as const
export type ExecutionDelegationRow = Pick<Selectable<DelegationTable>, (typeof DELEGATION_COLUMNS)[number]>

/** The newest delegations of an execution, newest first (index delegation_by_execution). */
export async function listExecutionDelegations(
  ctx: Context,
  execution_id: string,
): Promise<readonly ExecutionDelegationRow[]> {
  return await ctx.db
    .selectFrom('delegation')
    .select(DELEGATION_COLUMNS)
    .where('execution_id', '=', execution_id)
    .orderBy('presented_at', 'desc')
    .orderBy('delegation_id')
    .limit(SHOWN_OF_EXECUTION)
    .execute()
}

const APPROVAL_COLUMNS = [
  'approval_id',
  'step_id',
  'status',
  'arguments_digest',
  'entry',
  'opened_at',
  'decided_at',
  'decided_by',
  'consumed_at',
] as const
export type ExecutionApprovalRow = Pick<Selectable<ApprovalTable>, (typeof APPROVAL_COLUMNS)[number]>

/** The newest approvals of an execution, newest first and never their arguments (index approval_by_execution). */
export async function listExecutionApprovals(
  ctx: Context,
  execution_id: string,
): Promise<readonly ExecutionApprovalRow[]> {
  return await ctx.db
    .selectFrom('approval')
    .select(APPROVAL_COLUMNS)
    .where('execution_id', '=', execution_id)
    .orderBy('opened_at', 'desc')
    .orderBy('approval_id')
    .limit(SHOWN_OF_EXECUTION)
    .execute()
}

/** Those of these for which an entry stands, each once (index revocation_standing). `now` on our clock. */
export async function standingAmong(
  ctx: Context,
  refs: readonly RevocationRef[],
  now: Date,
): Promise<readonly RevocationRef[]> {
  if (refs.length === 0) return []
  // Arrays, because a statement takes no more than 65,535 parameters.
  const { rows } = await sql<RevocationRef>`
    select asked.kind, asked.id
      from unnest(${refs.map(ref => ref.kind)}::text[], ${refs.map(ref => ref.id)}::text[]) as asked(kind, id)
      where exists (
        select 1 from revocation
          where revocation.kind = asked.kind and revocation.id = asked.id
            and lifted_at is null and ends_at > ${now}
      )
      order by asked.kind, asked.id
      limit ${refs.length}`.execute(ctx.db)
  return rows
}
