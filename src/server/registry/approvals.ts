import type { ApprovalDetail, ApprovalFilter, ApprovalView } from '../../protocol/approval.ts'
import { parseStrictJsonText } from '../../protocol/json.ts'
import { Problem } from '../../protocol/problem.ts'
import type { ActEvent } from '../audit/events.ts'
import type { Context } from '../context.ts'
import { findApproval, findSealedArguments, type ListedApproval, listApprovals } from '../store/approvals.ts'
import { unsealArguments } from './approval-arguments.ts'
import { excludedOwners, versionOfApproval } from './approval-excluded.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { anyHiddenText } from './hidden-text.ts'

/** Approvals, the newest first; unless asked otherwise those that can be decided now. */
export async function getApprovals(
  ctx: Context,
  page: ApprovalFilter & { cursor?: string; limit: number },
): Promise<Page<ApprovalView>> {
  const { cursorKey } = ctx.keys
  const { cursor, limit, ...filter } = page
  const before = cursor === undefined ? {} : { before: readPlace(decodeCursor(cursorKey, 'approvals', cursor)) }
  const now = ctx.now()
  const rows = await listApprovals(ctx, { ...filter, now }, { ...before, limit: limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, 'approvals', rows, limit, placeOf)
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
  const body: ApprovalDetail = {
    ...approvalView(approval, ctx.now()),
    arguments: text,
    hidden_characters: text !== null && anyHiddenText(parseStrictJsonText(text)),
    action: version.definition.steps.find(step => step.step_id === approval.step_id)?.action ?? null,
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

export function approvalView(row: ListedApproval, now: Date): ApprovalView {
  const { step_id: workflow_step, workflow_version: _, execution_status, entry: __, ...shown } = row
  const isOver = execution_status !== 'open' || row.expires_at <= now
  return {
    ...shown,
    workflow_step,
    status: row.status === 'pending' && isOver ? 'expired' : row.status,
    opened_at: row.opened_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
    decided_at: row.decided_at?.toISOString() ?? null,
    consumed_at: row.consumed_at?.toISOString() ?? null,
  }
}

export function unknownApproval(): Problem {
  return new Problem('not_found', 'There is no approval of this id.')
}

function placeOf({ opened_at, approval_id }: ListedApproval): string {
  return `${opened_at.toISOString()} ${approval_id}`
}

function readPlace(place: string): Pick<ListedApproval, 'opened_at' | 'approval_id'> {
  const [opened_at = '', approval_id = ''] = place.split(' ')
  return { opened_at: new Date(opened_at), approval_id }
}
