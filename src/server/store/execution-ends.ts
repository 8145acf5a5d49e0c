import { sql } from 'kysely'
import type { Context } from '../context.ts'
import type { ExecutionRow } from './executions.ts'

/** What one statement ends: far below what a statement may take. */
const PIECE = 2_000

type Workflow = { readonly client_id: string; readonly workflow_id: string }
type Of = Workflow | { readonly client_id: string } | { readonly initiated_by: string }

/** Whether any execution of a workflow or a client is open. */
export async function hasOpenExecutions(tx: Context, of: Of, now: Date): Promise<boolean> {
  return (await openExecutions(tx, of, now).limit(1).execute()).length > 0
}

/**
 * Ends the open executions of a workflow, a client or an initiator: nothing is minted in them any more, and what was
 * minted there keeps its own time, unless an entry covers it. Only under the exclusive gate. @returns their ids
 */
export async function endExecutions(
  tx: Context,
  of: Of,
  { status, now }: { readonly status: 'closed' | 'revoked'; readonly now: Date },
): Promise<readonly string[]> {
  const open = await openExecutions(tx, of, now).orderBy('execution_id').execute()
  const ids = open.map(row => row.execution_id)
  for (let at = 0; at < ids.length; at += PIECE) {
    await tx.db
      .updateTable('execution')
      .set({ status, ended_at: now })
      .where(sql<boolean>`execution_id = any(${ids.slice(at, at + PIECE)}::text[])`)
      .execute()
  }
  return ids
}

/** Revokes one, also one that was closed or has expired (primary key). Undefined where there is none. */
export async function revokeExecution(
  tx: Context,
  execution_id: string,
  now: Date,
): Promise<Pick<ExecutionRow, 'client_id' | 'workflow_id'> | undefined> {
  return await tx.db
    .updateTable('execution')
    .set(eb => ({ status: 'revoked' as const, ended_at: eb.fn.coalesce('ended_at', eb.val(now)) }))
    .where('execution_id', '=', execution_id)
    .returning(['client_id', 'workflow_id'])
    .executeTakeFirst()
}

/**
 * All of them, because all must end (indexes execution_by_workflow, execution_open_by_client,
 * execution_open_by_initiator).
 */
function openExecutions(tx: Context, of: Of, now: Date) {
  let query = tx.db
    .selectFrom('execution')
    .select('execution_id')
    .where('status', '=', 'open')
    .where('expires_at', '>', now)
  if ('initiated_by' in of) query = query.where('initiated_by', '=', of.initiated_by)
  if ('client_id' in of) query = query.where('client_id', '=', of.client_id)
  if ('workflow_id' in of) query = query.where('workflow_id', '=', of.workflow_id)
  return query
}
