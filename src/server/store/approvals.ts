import type { Insertable, Selectable } from 'kysely'
import type { Context } from '../context.ts'
import type { ApprovalTable } from './schema-execution.ts'

export type ApprovalRow = Selectable<ApprovalTable>

/** What a mint must know of the approvals of one step (index approval_by_execution). */
export async function findApprovalsOfStep(
  ctx: Context,
  execution_id: string,
  step_id: string,
): Promise<readonly Pick<ApprovalRow, 'approval_id' | 'arguments_digest' | 'status' | 'entry'>[]> {
  return await ctx.db
    .selectFrom('approval')
    .select(['approval_id', 'arguments_digest', 'status', 'entry'])
    .where('execution_id', '=', execution_id)
    .where('step_id', '=', step_id)
    .orderBy('opened_at')
    .orderBy('approval_id')
    .limit(256)
    .execute()
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
