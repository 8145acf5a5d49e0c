import { z } from 'zod'
import { Problem } from '../../protocol/problem.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { StepView, WorkflowDetail } from '../../protocol/workflow-views.ts'
import type { Context } from '../context.ts'
import { findClient } from '../store/clients.ts'
import { listWorkflows, type WorkflowFilter, type WorkflowListRow } from '../store/workflow-lists.ts'
import {
  findLastDefinition,
  findStandingVersion,
  findWorkflow,
  listVersions,
  type WorkflowRow,
  type WorkflowVersionRow,
} from '../store/workflows.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import type { WorkflowName } from './workflow-approval.ts'
import { loosenings } from './workflow-loosening.ts'

/** Of one workflow as many versions are shown. */
const SHOWN_VERSIONS = 20

/** A workflow in the reference client's shape, with our pairs beside its flat scopes and the order of its steps. */
export const workflowViewSchema = z.object({
  workflow_id: z.string(),
  workflow_type: z.literal('dag'),
  version: z.number(),
  status: z.string(),
  /** Versions that wait for a decision. */
  pending: z.number(),
  registered_at: z.string(),
  step_ids: z.array(z.string()),
  steps: z.record(
    z.string(),
    z.object({
      agent: z.string().nullable(),
      action: z.string().nullable(),
      scopes: z.array(z.string()),
      access: z.array(z.object({ resource: z.string(), scope: z.string() })).nullable(),
      dependencies: z.array(z.string()),
      required: z.boolean(),
      approval_gate: z.boolean(),
      requires_approval: z.boolean(),
    }),
  ),
})
export type WorkflowView = z.output<typeof workflowViewSchema>

/** The same for administrators, who see those of every client. */
export const listedWorkflowSchema = z.object({ client_id: z.string(), ...workflowViewSchema.shape })
export type ListedWorkflow = z.output<typeof listedWorkflowSchema>

type PageAsked = { readonly cursor?: string; readonly limit: number }
export type WorkflowsAsked = PageAsked & { readonly client_id?: string; readonly status?: WorkflowFilter }

/** Workflows of a client in the order of their ids: the version that counts or counted last, else the newest. */
export async function getWorkflows(ctx: Context, client_id: string, page: PageAsked): Promise<Page<WorkflowView>> {
  const { items, next_cursor } = await workflowRows(ctx, { ...page, client_id })
  return { items: items.map(workflowView), next_cursor }
}

/** Those of all clients, of one client, of one state, in the order of client and id. */
export async function getListedWorkflows(ctx: Context, asked: WorkflowsAsked): Promise<Page<ListedWorkflow>> {
  const { items, next_cursor } = await workflowRows(ctx, asked)
  return { items: items.map(row => ({ client_id: row.client_id, ...workflowView(row) })), next_cursor }
}

async function workflowRows(ctx: Context, asked: WorkflowsAsked): Promise<Page<WorkflowListRow>> {
  const { cursor, limit, ...filter } = asked
  const { cursorKey } = ctx.keys
  const list = `workflows ${filter.client_id ?? '*'} ${filter.status ?? '*'}`
  const after = cursor === undefined ? undefined : nameIn(decodeCursor(cursorKey, list, cursor))
  const rows = await listWorkflows(ctx, { ...filter, limit: limit + 1, ...(after && { after }) })
  return pageOf(cursorKey, list, rows, limit, row => `${row.client_id}/${row.workflow_id}`)
}

/** Neither part of a workflow's name has a slash. */
function nameIn(position: string): WorkflowName {
  const [client_id = '', workflow_id = ''] = position.split('/')
  return { client_id, workflow_id }
}

/** One workflow with its newest versions, as whoever decides about them sees it. Throws Problem `not_found`. */
export async function getWorkflow(ctx: Context, { client_id, workflow_id }: WorkflowName): Promise<WorkflowDetail> {
  const workflow = await findWorkflow(ctx, client_id, workflow_id)
  const client = await findClient(ctx, client_id)
  if (!workflow || !client) throw new Problem('not_found', 'The client has no workflow of this workflow_id.')
  const versions = await listVersions(ctx, client_id, workflow_id, SHOWN_VERSIONS)
  const { status, version } = workflow
  const causes = await waitsFor(ctx, workflow)
  const views = versions.map(row => versionView(row, causes(row)))
  return { client_id, workflow_id, owner: client.owner, status, version, versions: views }
}

type Waits = WorkflowDetail['versions'][number]['pending_for']

/**
 * Why a pending version waits, derived from what counts now: nothing of it is kept. Only the newest can be approved,
 * so that the steps of one version are compared, however many were proposed.
 */
async function waitsFor(ctx: Context, workflow: WorkflowRow): Promise<(row: WorkflowVersionRow) => Waits> {
  const { client_id, workflow_id } = workflow
  const standing = await findStandingVersion(ctx, client_id, workflow_id)
  const last = standing?.status === 'pending' ? await findLastDefinition(ctx, client_id, workflow_id) : undefined
  const revoked: Waits = workflow.status === 'revoked' ? [{ cause: 'workflow_revoked', step_id: null }] : []
  return ({ status, version, definition }) => {
    if (status !== 'pending') return []
    if (version !== standing?.version) return [{ cause: 'replaced', step_id: null }]
    return [...revoked, ...(last ? loosenings(last, definition.steps) : [])]
  }
}

function workflowView(row: WorkflowListRow): WorkflowView {
  const { workflow_id, version, status, workflow_status, client_status, pending, registered_at, definition } = row
  // Of a client that was revoked or deleted nothing counts, and nothing is left to decide.
  const isOver = client_status !== 'active'
  return {
    workflow_id,
    workflow_type: 'dag',
    version,
    status: isOver ? 'revoked' : workflow_status === 'active' ? status : workflow_status,
    pending: isOver ? 0 : Number(pending ?? 0),
    registered_at: registered_at.toISOString(),
    step_ids: definition.steps.map(step => step.step_id),
    steps: Object.fromEntries(definition.steps.map(step => [step.step_id, referenceStep(step)])),
  }
}

function referenceStep(step: WorkflowStep): WorkflowView['steps'][string] {
  const { step_id: _step_id, agent_id: agent, ...view } = stepView(step)
  return { ...view, agent, scopes: [...new Set((step.access ?? []).flatMap(entry => entry.scope.split(' ')))] }
}

function versionView(row: WorkflowVersionRow, pending_for: Waits): WorkflowDetail['versions'][number] {
  const { version, status, registered_at, registered_by, registered_owner, definition } = row
  return {
    version,
    status,
    registered_at: registered_at.toISOString(),
    registered_by,
    registered_owner,
    approved_at: row.approved_at?.toISOString() ?? null,
    approved_by: row.approved_by,
    rejected_at: row.rejected_at?.toISOString() ?? null,
    rejected_by: row.rejected_by,
    reject_reason: row.reject_reason,
    pending_for,
    steps: definition.steps.map(stepView),
  }
}

function stepView(step: WorkflowStep): StepView {
  const { step_id, agent_id, action, access, dependencies, required, approval_gate, requires_approval } = step
  return {
    step_id,
    agent_id: agent_id ?? null,
    action: action ?? null,
    access: access ?? null,
    dependencies,
    required,
    approval_gate,
    requires_approval,
  }
}
