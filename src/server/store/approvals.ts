import { type Insertable, type Selectable, sql } from 'kysely'
import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { ExecutionRow } from './executions.ts'
import type { ApprovalTable } from './schema-execution.ts'

export type ApprovalRow = Selectable<ApprovalTable>

/** The approval of this step and digest that waits, or was granted and not consumed (index approval_unconsumed). */
export async function findUnconsumedApproval(
  tx: Context,
  { execution_id, step_id, arguments_digest }: Pick<ApprovalRow, 'execution_id' | 'step_id' | 'arguments_digest'>,
): Promise<{ approval_id: string } | undefined> {
  return await tx.db
    .selectFrom('approval')
    .select('approval_id')
    .where('execution_id', '=', execution_id)
    .where('step_id', '=', step_id)
    .where(sql<boolean>`coalesce(arguments_digest, '') = ${arguments_digest ?? ''}`)
    .where(eb => eb.or([eb('status', '=', 'pending'), eb.and([eb('status', '=', 'granted'), eb('entry', 'is', null)])]))
    .executeTakeFirst()
}

/** How many wait in one execution (index approval_by_execution). Behind the execution's lock. */
export async function countPendingApprovals(tx: Context, execution_id: string): Promise<number> {
  const row = await tx.db
    .selectFrom('approval')
    .select(eb => eb.fn.countAll<string>().as('count'))
    .where('execution_id', '=', execution_id)
    .where('status', '=', 'pending')
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/**
 * How many of a client wait that can still be decided, counted up to `most` (index approval_pending_of_client). The
 * executions of a client lock no row together, so that of mints at one time a few more than `most` may get through.
 */
export async function countPendingOfClient(tx: Context, client_id: string, most: number, now: Date): Promise<number> {
  const waiting = tx.db
    .selectFrom('approval')
    .innerJoin('execution', 'execution.execution_id', 'approval.execution_id')
    .select('approval.approval_id')
    .where('approval.client_id', '=', client_id)
    .where('approval.status', '=', 'pending')
    // None older is in an execution that goes on.
    .where('approval.opened_at', '>', new Date(now.getTime() - EXECUTION_LIFETIME_MAX * 1000))
    .where('execution.status', '=', 'open')
    .where('execution.expires_at', '>', now)
    .limit(most)
  const row = await tx.db
    .selectFrom(waiting.as('waiting'))
    .select(eb => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/** Opens one. Behind the execution's lock. @returns false where the same waits, or was granted, already */
export async function insertApproval(tx: Context, row: Insertable<ApprovalTable>): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('approval')
    .values(row)
    .onConflict(conflict => conflict.doNothing())
    .returning('approval_id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Takes a granted approval for one entry of its step. @returns false where it was taken before */
export async function consumeApproval(tx: Context, approval_id: string, entry: number, now: Date): Promise<boolean> {
  const consumed = await tx.db
    .updateTable('approval')
    .set({ entry, consumed_at: now })
    .where('approval_id', '=', approval_id)
    .where('status', '=', 'granted')
    .where('entry', 'is', null)
    .returning('approval_id')
    .executeTakeFirst()
  return consumed !== undefined
}

/** An approval with what its execution says of it; never the arguments. */
export type ListedApproval = Omit<ApprovalRow, 'arguments_sealed' | 'decided_owner'> &
  Pick<ExecutionRow, 'initiated_by' | 'opened_by' | 'workflow_version' | 'expires_at'> & {
    readonly execution_status: ExecutionRow['status']
    readonly execution_opened_at: Date
  }

/** One approval (primary keys of approval and execution). */
export async function findApproval(ctx: Context, approval_id: string): Promise<ListedApproval | undefined> {
  return await listed(ctx).where('approval.approval_id', '=', approval_id).executeTakeFirst()
}

/** The sealed arguments of one approval, null where it has none (primary key). */
export async function findSealedArguments(ctx: Context, approval_id: string): Promise<Buffer | null> {
  const row = await ctx.db
    .selectFrom('approval')
    .select('arguments_sealed')
    .where('approval_id', '=', approval_id)
    .executeTakeFirst()
  return row?.arguments_sealed ?? null
}

/** One approval, held until the transaction ends (primary key). Behind the execution's lock. */
export async function lockApproval(
  tx: Context,
  approval_id: string,
): Promise<Pick<ApprovalRow, 'status' | 'arguments_digest'> | undefined> {
  return await tx.db
    .selectFrom('approval')
    .select(['status', 'arguments_digest'])
    .where('approval_id', '=', approval_id)
    .forUpdate()
    .executeTakeFirst()
}

/** Writes a decision; the row is locked before. */
export async function updateDecision(
  tx: Context,
  approval_id: string,
  decision: Required<Pick<ApprovalRow, 'status' | 'decided_at' | 'decided_by' | 'decided_owner' | 'decision_reason'>>,
): Promise<void> {
  await tx.db.updateTable('approval').set(decision).where('approval_id', '=', approval_id).execute()
}

export type ApprovalListFilter = {
  /** `pending`: what can still be decided now. */
  readonly status: 'pending' | 'granted' | 'denied' | 'all'
  readonly execution_id?: string | undefined
  readonly now: Date
}

/**
 * Approvals from the newest to the oldest, those before `before` (index approval_pending for what waits, of one
 * execution approval_by_execution, else approval_by_time).
 */
export async function listApprovals(
  ctx: Context,
  { status, execution_id, now }: ApprovalListFilter,
  page: { before?: Pick<ApprovalRow, 'opened_at' | 'approval_id'>; limit: number },
): Promise<readonly ListedApproval[]> {
  const { before } = page
  let query = listed(ctx)
  if (status !== 'all') query = query.where('approval.status', '=', status)
  if (status === 'pending') query = query.where('execution.status', '=', 'open').where('execution.expires_at', '>', now)
  if (execution_id !== undefined) query = query.where('approval.execution_id', '=', execution_id)
  if (before) {
    const place = sql`(${before.opened_at}::timestamptz, ${before.approval_id}::text)`
    query = query.where(sql<boolean>`(approval.opened_at, approval.approval_id) < ${place}`)
  }
  return await query
    .orderBy('approval.opened_at', 'desc')
    .orderBy('approval.approval_id', 'desc')
    .limit(page.limit)
    .execute()
}

function listed(ctx: Context) {
  return ctx.db
    .selectFrom('approval')
    .innerJoin('execution', 'execution.execution_id', 'approval.execution_id')
    .select([
      'approval.approval_id',
      'approval.execution_id',
      'approval.client_id',
      'approval.workflow_id',
      'approval.step_id',
      'approval.agent_id',
      'approval.resource',
      'approval.scope',
      'approval.arguments_digest',
      'approval.status',
      'approval.opened_at',
      'approval.decided_at',
      'approval.decided_by',
      'approval.decision_reason',
      'approval.entry',
      'approval.consumed_at',
      'execution.initiated_by',
      'execution.opened_by',
      'execution.workflow_version',
      'execution.expires_at',
      'execution.status as execution_status',
      'execution.opened_at as execution_opened_at',
    ])
}
