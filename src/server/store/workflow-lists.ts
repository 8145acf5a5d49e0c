import type { Context } from '../context.ts'
import type { Client } from './clients.ts'
import type { WorkflowRow, WorkflowVersionRow } from './workflows.ts'

/**
 * The states of a workflow, and `pending` for one with a version that waits for a decision. Where one is asked for, workflows
 * are passed over until there are enough: they are a few a client, and no index serves it.
 */
export const WORKFLOW_FILTERS = ['pending', 'active', 'deregistered', 'revoked'] as const
export type WorkflowFilter = (typeof WORKFLOW_FILTERS)[number]

/** A workflow's name: its client and its id. */
type WorkflowName = { readonly client_id: string; readonly workflow_id: string }

export type WorkflowPage = {
  readonly client_id?: string
  readonly status?: WorkflowFilter
  readonly after?: WorkflowName
  readonly limit: number
}

export type WorkflowListRow = Pick<
  WorkflowVersionRow,
  'client_id' | 'workflow_id' | 'version' | 'definition' | 'status' | 'registered_at'
> & {
  readonly workflow_status: WorkflowRow['status']
  readonly client_status: Client['status']
  readonly pending: string | null
}

/**
 * For each workflow the active version, else the newest, in the order of client and id, those after `after` (primary keys
 * of workflow and workflow_version).
 */
export async function listWorkflows(ctx: Context, page: WorkflowPage): Promise<readonly WorkflowListRow[]> {
  const { client_id, status, after, limit } = page
  let query = selectListed(ctx).orderBy('workflow.client_id').orderBy('workflow.workflow_id').limit(limit)
  if (client_id !== undefined) query = query.where('workflow.client_id', '=', client_id)
  if (after) {
    query = query.where(eb =>
      eb(eb.refTuple('workflow.client_id', 'workflow.workflow_id'), '>', eb.tuple(after.client_id, after.workflow_id)),
    )
  }
  if (status === undefined) return await query.execute()
  if (status === 'revoked') {
    return await query
      .where(eb => eb.or([eb('workflow.status', '=', status), eb('client.status', '<>', 'active')]))
      .execute()
  }
  // Nothing of a revoked client counts, or is left to decide.
  const standing = query.where('client.status', '=', 'active')
  if (status !== 'pending') return await standing.where('workflow.status', '=', status).execute()
  const waits = standing.where(eb =>
    eb.exists(
      eb
        .selectFrom('workflow_version as waiting')
        .select('waiting.version')
        .whereRef('waiting.client_id', '=', 'workflow.client_id')
        .whereRef('waiting.workflow_id', '=', 'workflow.workflow_id')
        .where('waiting.status', '=', 'pending'),
    ),
  )
  return await waits.execute()
}

function selectListed(ctx: Context) {
  return ctx.db
    .selectFrom('workflow')
    .innerJoin('client', 'client.client_id', 'workflow.client_id')
    .innerJoinLateral(
      eb =>
        eb
          .selectFrom('workflow_version')
          .select([
            'workflow_version.version',
            'workflow_version.definition',
            'workflow_version.status',
            'workflow_version.registered_at',
          ])
          .whereRef('workflow_version.client_id', '=', 'workflow.client_id')
          .whereRef('workflow_version.workflow_id', '=', 'workflow.workflow_id')
          .orderBy(order => order.case().when('workflow_version.status', '=', 'active').then(0).else(1).end())
          .orderBy('workflow_version.version', 'desc')
          .limit(1)
          .as('shown'),
      join => join.onTrue(),
    )
    .select(eb => [
      'workflow.client_id',
      'workflow.workflow_id',
      'workflow.status as workflow_status',
      'client.status as client_status',
      'shown.version',
      'shown.definition',
      'shown.status',
      'shown.registered_at',
      eb
        .selectFrom('workflow_version as waiting')
        .whereRef('waiting.client_id', '=', 'workflow.client_id')
        .whereRef('waiting.workflow_id', '=', 'workflow.workflow_id')
        .where('waiting.status', '=', 'pending')
        .select(count => count.fn.countAll<string>().as('n'))
        .as('pending'),
    ])
}
