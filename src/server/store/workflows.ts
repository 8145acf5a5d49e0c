import { type Selectable, sql } from 'kysely'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { Context } from '../context.ts'
import type { WorkflowTable, WorkflowVersionTable } from './schema.ts'

export type WorkflowRow = Selectable<WorkflowTable>
export type WorkflowVersionRow = Selectable<WorkflowVersionTable>

const VERSION_COLUMNS = [
  'client_id',
  'workflow_id',
  'version',
  'definition',
  'definition_digest',
  'agent_ids',
  'status',
  'registered_at',
  'registered_by',
  'registered_owner',
  'approved_at',
  'approved_by',
  'rejected_at',
  'rejected_by',
  'reject_reason',
] as const

/** The version of a workflow that counts now (primary keys of workflow and workflow_version). */
export async function findActiveWorkflow(
  ctx: Context,
  client_id: string,
  workflow_id: string,
): Promise<{ version: number; steps: readonly WorkflowStep[] } | undefined> {
  const row = await countingVersions(ctx, client_id)
    .select(['workflow_version.version', 'workflow_version.definition'])
    .where('workflow.workflow_id', '=', workflow_id)
    .executeTakeFirst()
  return row && { version: row.version, steps: row.definition.steps }
}

/** Whether a step of any workflow of the client is the agent's, in the versions that count (primary keys). */
export async function agentIsAssigned(ctx: Context, client_id: string, agent_id: string): Promise<boolean> {
  const row = await countingVersions(ctx, client_id)
    .select('workflow.workflow_id')
    .where(sql<boolean>`workflow_version.agent_ids @> ${JSON.stringify([agent_id])}::jsonb`)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** The versions of a client's workflows that count now. */
function countingVersions(ctx: Context, client_id: string) {
  return ctx.db
    .selectFrom('workflow')
    .innerJoin('workflow_version', join =>
      join
        .onRef('workflow_version.client_id', '=', 'workflow.client_id')
        .onRef('workflow_version.workflow_id', '=', 'workflow.workflow_id')
        .onRef('workflow_version.version', '=', 'workflow.version'),
    )
    .where('workflow.client_id', '=', client_id)
    .where('workflow.status', '=', 'active')
    .where('workflow_version.status', '=', 'active')
}

/** The workflow's row, made with version 0 (none counts yet) where it is new, locked until the transaction ends. */
export async function lockWorkflow(
  tx: Context,
  client_id: string,
  workflow_id: string,
  now: Date,
): Promise<WorkflowRow | undefined> {
  await tx.db
    .insertInto('workflow')
    .values({ client_id, workflow_id, version: 0, status: 'active', created_at: now })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  return await tx.db
    .selectFrom('workflow')
    .select(['client_id', 'workflow_id', 'version', 'status', 'created_at'])
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .forUpdate()
    .executeTakeFirst()
}

/** The newest version of a workflow, pending ones too (primary key of workflow_version). */
export async function findNewestVersion(
  ctx: Context,
  client_id: string,
  workflow_id: string,
): Promise<WorkflowVersionRow | undefined> {
  return await ctx.db
    .selectFrom('workflow_version')
    .select(VERSION_COLUMNS)
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export async function findVersion(
  ctx: Context,
  client_id: string,
  workflow_id: string,
  version: number,
): Promise<WorkflowVersionRow | undefined> {
  return await ctx.db
    .selectFrom('workflow_version')
    .select(VERSION_COLUMNS)
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .where('version', '=', version)
    .executeTakeFirst()
}

export async function insertWorkflowVersion(tx: Context, row: WorkflowVersionRow): Promise<void> {
  await tx.db
    .insertInto('workflow_version')
    .values({ ...row, definition: JSON.stringify(row.definition), agent_ids: JSON.stringify(row.agent_ids) })
    .execute()
}

/** Makes a version the one that counts: every older one, waiting or active, is superseded. */
export async function activateWorkflowVersion(
  tx: Context,
  version: { client_id: string; workflow_id: string; version: number },
  approval?: { approved_at: Date; approved_by: string },
): Promise<void> {
  await tx.db
    .updateTable('workflow_version')
    .set({ status: 'superseded' })
    .where('client_id', '=', version.client_id)
    .where('workflow_id', '=', version.workflow_id)
    .where('version', '<', version.version)
    .where('status', '<>', 'superseded')
    .execute()
  await tx.db
    .updateTable('workflow_version')
    .set({ status: 'active', ...approval })
    .where('client_id', '=', version.client_id)
    .where('workflow_id', '=', version.workflow_id)
    .where('version', '=', version.version)
    .execute()
  await tx.db
    .updateTable('workflow')
    .set({ version: version.version })
    .where('client_id', '=', version.client_id)
    .where('workflow_id', '=', version.workflow_id)
    .execute()
}

export type WorkflowListRow = Pick<WorkflowVersionRow, 'workflow_id' | 'version' | 'definition' | 'status'> & {
  registered_at: Date
}

/** For each workflow of a client the active version, else the newest, in order of ids after `after` (primary keys). */
export async function listWorkflows(
  ctx: Context,
  client_id: string,
  page: { after?: string; limit: number },
): Promise<readonly WorkflowListRow[]> {
  return await ctx.db
    .selectFrom('workflow_version')
    .select(['workflow_id', 'version', 'definition', 'status', 'registered_at'])
    .distinctOn('workflow_id')
    .where('client_id', '=', client_id)
    .$if(page.after !== undefined, query => query.where('workflow_id', '>', page.after ?? ''))
    .orderBy('workflow_id')
    .orderBy(eb => eb.case().when('status', '=', 'active').then(0).else(1).end())
    .orderBy('version', 'desc')
    .limit(page.limit)
    .execute()
}
