import { type ApprovalDetail, type ApprovalFilter, type ApprovalView, approvalSchema } from '../../protocol/approval.ts'
import { parseStrictJsonText } from '../../protocol/json.ts'
import { Problem } from '../../protocol/problem.ts'
import type { ActEvent } from '../audit/events.ts'
import type { Context } from '../context.ts'
import { findApproval, findSealedArguments, type ListedApproval, listApprovals } from '../store/approvals.ts'
import { unsealArguments } from './approval-arguments.ts'
import { excludedOwners, versionOfApproval } from './approval-excluded.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { anyHiddenText } from './hidden-text.ts'
import { timePlace, timePosition } from './time-cursor.ts'

/** Approvals, the newest first; unless asked otherwise those that can be decided now. */
export async function getApprovals(
  ctx: Context,
  page: ApprovalFilter & { cursor?: string; limit: number },
): Promise<Page<ApprovalView>> {
  const { cursorKey } = ctx.keys
  const { cursor, limit, ...filter } = page
  const place = cursor === undefined ? undefined : timePlace(decodeCursor(cursorKey, 'approvals', cursor))
  const before = place && { before: { opened_at: place.at, approval_id: place.id } }
  const now = ctx.now()
  const rows = await listApprovals(ctx, { ...filter, now }, { ...before, limit: limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, 'approvals', rows, limit, row =>
    timePosition(row.opened_at, row.approval_id),
  )
  return { items: items.map(row => approvalView(row, now)), next_cursor }
}

/**
 * One approval with what is asked for, to the letter, inside `auditedRead`. Throws Problem `not_found`, and where the
 * sealed arguments were changed.
 */
export async function getApproval(
  ctx: Context,
  approval_id: string,
): Promise<{ body: ApprovalDetail; details: ActEvent['details'] }> {
  const approval = await findApproval(ctx, approval_id)
  if (!approval) throw unknownApproval()
  const version = await versionOfApproval(ctx, approval)
  const sealed = await findSealedArguments(ctx, approval_id)
  const text = sealed === null ? null : unsealArguments(ctx, approval_id, sealed)
  const step = version.definition.steps.find(candidate => candidate.step_id === approval.step_id)
  const body: ApprovalDetail = {
    ...approvalView(approval, ctx.now()),
    arguments: text,
    hidden_characters: text !== null && anyHiddenText(parseStrictJsonText(text)),
    action: step?.action ?? null,
    step_access: step?.access ?? null,
    excluded_owners: [...(await excludedOwners(ctx, approval, version))],
  }
  return { body, details: { approval_id, arguments_digest: approval.arguments_digest } }
}

/** Whom and what the audit rows of an approval name; of an unknown one the id alone. */
export async function approvalEvent(
  ctx: Context,
  approval_id: string,
): Promise<Pick<ActEvent, 'client_id' | 'agent_id' | 'execution_id' | 'details'>> {
  const approval = await findApproval(ctx, approval_id)
  if (!approval) return { details: { approval_id } }
  const { client_id, agent_id, execution_id } = approval
  return { client_id, agent_id, execution_id, details: { approval_id } }
}

/** An approval as its list shows it; `expired` is one that waited when its execution ended. */
export function approvalView(row: ListedApproval, now: Date): ApprovalView {
  const isOver = row.execution_status !== 'open' || row.expires_at <= now
  // Only what is of the view: whatever else is read beside an approval stays here.
  return approvalSchema.parse({
    ...row,
    workflow_step: row.step_id,
    status: row.status === 'pending' && isOver ? 'expired' : row.status,
    opened_at: row.opened_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
    decided_at: row.decided_at?.toISOString() ?? null,
    consumed_at: row.consumed_at?.toISOString() ?? null,
  })
}

/** Problem `not_found`. */
export function unknownApproval(): Problem {
  return new Problem('not_found', 'There is no approval of this id.')
}
