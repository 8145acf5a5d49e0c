import type { ExecutionFilter, ExecutionSummary, ExecutionView } from '../../protocol/execution.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Context } from '../context.ts'
import {
  type ExecutionApprovalRow,
  listExecutionApprovals,
  listExecutionDelegations,
  listExecutions,
  listExecutionTokens,
} from '../store/execution-reads.ts'
import {
  type ExecutionRow,
  type ExecutionStepRow,
  findExecution,
  findExecutionSteps,
  type PinnedExecution,
} from '../store/executions.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { edgesOf } from './execution-graph.ts'
import { stepViews } from './execution-steps.ts'
import { delegationViews, tokenViews } from './execution-tokens.ts'
import { stepGraph } from './step-record.ts'
import { timePlace, timePosition } from './time-cursor.ts'

/** Executions, the newest first, with the filters of `listExecutions`. Throws Problem `invalid_request`. */
export async function getExecutions(
  ctx: Context,
  filter: ExecutionFilter,
  page: { readonly cursor?: string; readonly limit: number },
): Promise<Page<ExecutionSummary>> {
  const { cursorKey } = ctx.keys
  const { cursor, limit } = page
  const now = ctx.now()
  const place = cursor === undefined ? undefined : timePlace(decodeCursor(cursorKey, 'executions', cursor))
  const before = place && { before: { opened_at: place.at, execution_id: place.id } }
  const rows = await listExecutions(ctx, filter, { ...before, limit: limit + 1, now })
  const { items, next_cursor } = pageOf(cursorKey, 'executions', rows, limit, row =>
    timePosition(row.opened_at, row.execution_id),
  )
  return { items: items.map(row => summaryView(row, now)), next_cursor }
}

/**
 * One execution with everything that is recorded of it: steps and what waits for what, tokens by `jti`, delegations,
 * approvals without their arguments. Of the last three the newest 1,000. The state of a step is that of the record
 * alone, whatever has become of the execution. With `client_id` only an execution of that client: another one's answers
 * like an unknown one. Throws Problem `not_found`.
 */
export async function getExecution(ctx: Context, execution_id: string, client_id?: string): Promise<ExecutionView> {
  const execution = await findExecution(ctx, execution_id)
  if (!execution || (client_id !== undefined && execution.client_id !== client_id)) {
    throw new Problem('not_found', 'There is no such execution.', 'unknown_execution')
  }
  const [steps, tokens, delegations, approvals] = await Promise.all([
    findExecutionSteps(ctx, execution_id),
    listExecutionTokens(ctx, execution_id),
    listExecutionDelegations(ctx, execution_id),
    listExecutionApprovals(ctx, execution_id),
  ])
  const now = ctx.now()
  return {
    ...summaryView(execution, now),
    ...graphViews(execution, steps, approvals),
    tokens: await tokenViews(ctx, tokens, now),
    delegations: await delegationViews(ctx, execution, delegations, now),
    approvals: approvals.map(approvalView),
  }
}

function graphViews(
  { steps }: PinnedExecution,
  recorded: readonly ExecutionStepRow[],
  approvals: readonly ExecutionApprovalRow[],
): Pick<ExecutionView, 'steps' | 'edges'> {
  const graph = stepGraph(steps)
  return { steps: stepViews(graph, recorded, approvals), edges: edgesOf(graph) }
}

/** An execution as its list and the answer of its opening show it; `expired` is one that ran out while it was open. */
export function summaryView(row: ExecutionRow, now: Date): ExecutionSummary {
  const { execution_id, client_id, workflow_id, workflow_version, initiated_by, intent_digest, limits } = row
  return {
    execution_id,
    client_id,
    workflow_id,
    workflow_version,
    initiated_by,
    intent_digest,
    limits,
    status: row.status === 'open' && row.expires_at <= now ? 'expired' : row.status,
    opened_at: row.opened_at.toISOString(),
    opened_by: row.opened_by,
    expires_at: row.expires_at.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
    tokens_minted: row.tokens,
  }
}

function approvalView(row: ExecutionApprovalRow): ExecutionView['approvals'][number] {
  const { approval_id, step_id, status, arguments_digest, opened_at, decided_at, decided_by, consumed_at } = row
  return {
    approval_id,
    step_id,
    status,
    arguments_digest,
    opened_at: opened_at.toISOString(),
    decided_at: decided_at?.toISOString() ?? null,
    decided_by,
    consumed_at: consumed_at?.toISOString() ?? null,
  }
}
