import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { Context } from '../context.ts'
import type { WorkflowTable, WorkflowVersionTable } from './schema.ts'

export type WorkflowRow = Selectable<WorkflowTable>
export type WorkflowVersionRow = Selectable<WorkflowVersionTable>

export const WORKFLOW_COLUMNS = ['client_id', 'workflow_id', 'version', 'status', 'created_at'] as const
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
  'registered_client',
  'registered_client_owner',
  'approved_at',
  'approved_by',
  'rejected_at',
  'rejected_by',
  'reject_reason',
] as const

export type CountingWorkflow = { readonly version: number; readonly steps: readonly WorkflowStep[] }

/** The version of a workflow that counts now (primary keys of workflow and workflow_version). */
export async function findActiveWorkflow(
  ctx: Context,
  client_id: string,
  workflow_id: string,
): Promise<CountingWorkflow | undefined> {
  const row = await newestActiveVersions(ctx)
    .where('workflow.client_id', '=', client_id)
    .select(['workflow_version.version', 'workflow_version.definition'])
    .where('workflow.workflow_id', '=', workflow_id)
    .where('workflow.status', '=', 'active')
    .executeTakeFirst()
  return row && { version: row.version, steps: row.definition.steps }
}

/** `findActiveWorkflow` of several, each with the transaction that last wrote its row (primary keys). */
export async function findActiveWorkflows(
  ctx: Context,
  names: readonly { readonly client_id: string; readonly workflow_id: string }[],
): Promise<readonly (CountingWorkflow & { client_id: string; workflow_id: string; row_version: string })[]> {
  const client_ids = names.map(name => name.client_id)
  const workflow_ids = names.map(name => name.workflow_id)
  const rows = await newestActiveVersions(ctx)
    .select([
      'workflow.client_id',
      'workflow.workflow_id',
      'workflow_version.version',
      'workflow_version.definition',
      sql<string>`workflow.xmin::text`.as('row_version'),
    ])
    .where(
      sql<boolean>`(workflow.client_id, workflow.workflow_id) in
        (select * from unnest(${client_ids}::text[], ${workflow_ids}::text[]))`,
    )
    .where('workflow.status', '=', 'active')
    .orderBy('workflow.client_id')
    .orderBy('workflow.workflow_id')
    .limit(names.length)
    .execute()
  return rows.map(({ definition, ...row }) => ({ ...row, steps: definition.steps }))
}

/** The definition that counts, or counted last before the workflow was deregistered or revoked (primary keys). */
export async function findLastDefinition(
  ctx: Context,
  client_id: string,
  workflow_id: string,
): Promise<readonly WorkflowStep[] | undefined> {
  const row = await newestActiveVersions(ctx)
    .where('workflow.client_id', '=', client_id)
    .select('workflow_version.definition')
    .where('workflow.workflow_id', '=', workflow_id)
    .executeTakeFirst()
  return row?.definition.steps
}

type AgentName = { readonly client_id: string; readonly agent_id: string }

/**
 * Those of these agents that a step of any workflow of their client is assigned to, in its newest version that was active
 * (primary keys). One that was deregistered or revoked binds its agents too: stopping a workflow must not set them free.
 */
export async function assignedAgents(ctx: Context, agents: readonly AgentName[]): Promise<readonly AgentName[]> {
  if (agents.length === 0) return []
  const { rows } = await sql<AgentName>`
    select asked.client_id, asked.agent_id
      from unnest(${agents.map(agent => agent.client_id)}::text[], ${agents.map(agent => agent.agent_id)}::text[])
        as asked(client_id, agent_id)
      where ${isAssigned(sql.ref('asked.client_id'), sql.ref('asked.agent_id'))}
      order by asked.client_id, asked.agent_id limit ${agents.length}`.execute(ctx.db)
  return rows
}

/** Whether an agent is one of them, its names given as columns. */
export function isAssigned(client_id: RawBuilder<unknown>, agent_id: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql`exists (
    select from workflow join workflow_version using (client_id, workflow_id, version)
      where workflow.client_id = ${client_id} and workflow_version.status = 'active'
        and workflow_version.agent_ids @> jsonb_build_array(${agent_id}))`
}

/** Of each workflow the version that counts, or counted last. */
function newestActiveVersions(ctx: Context) {
  return ctx.db
    .selectFrom('workflow')
    .innerJoin('workflow_version', join =>
      join
        .onRef('workflow_version.client_id', '=', 'workflow.client_id')
        .onRef('workflow_version.workflow_id', '=', 'workflow.workflow_id')
        .onRef('workflow_version.version', '=', 'workflow.version'),
    )
    .where('workflow_version.status', '=', 'active')
}

/** The versions of one workflow (primary key of workflow_version). */
function versionsOf(ctx: Context, client_id: string, workflow_id: string) {
  return ctx.db
    .selectFrom('workflow_version')
    .select(VERSION_COLUMNS)
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
}

/** The newest version of a workflow in any state (primary key of workflow_version). */
export async function findNewestVersion(
  ctx: Context,
  client_id: string,
  workflow_id: string,
): Promise<WorkflowVersionRow | undefined> {
  return await versionsOf(ctx, client_id, workflow_id).orderBy('version', 'desc').limit(1).executeTakeFirst()
}

/** The newest version that counts or waits: one that was rejected or superseded stands for nothing. */
export async function findStandingVersion(
  ctx: Context,
  client_id: string,
  workflow_id: string,
): Promise<WorkflowVersionRow | undefined> {
  return await versionsOf(ctx, client_id, workflow_id)
    .where('status', 'in', ['pending', 'active'])
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
  return await versionsOf(ctx, client_id, workflow_id).where('version', '=', version).executeTakeFirst()
}

/** Versions of a workflow, the newest first (primary key of workflow_version). */
export async function listVersions(
  ctx: Context,
  client_id: string,
  workflow_id: string,
  limit: number,
): Promise<readonly WorkflowVersionRow[]> {
  return await versionsOf(ctx, client_id, workflow_id).orderBy('version', 'desc').limit(limit).execute()
}

/** A workflow's own row (primary key). */
export async function findWorkflow(
  ctx: Context,
  client_id: string,
  workflow_id: string,
): Promise<WorkflowRow | undefined> {
  return await ctx.db
    .selectFrom('workflow')
    .select(WORKFLOW_COLUMNS)
    .where('client_id', '=', client_id)
    .where('workflow_id', '=', workflow_id)
    .executeTakeFirst()
}
