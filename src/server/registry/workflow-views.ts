import { z } from 'zod'
import { Problem } from '../../protocol/problem.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { StepView, WorkflowDetail } from '../../protocol/workflow-views.ts'
import type { Context } from '../context.ts'
import {
  findWorkflow,
  listVersions,
  listWorkflows,
  type WorkflowListRow,
  type WorkflowVersionRow,
} from '../store/workflows.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import type { WorkflowName } from './workflow-approval.ts'

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

/** Workflows of a client in the order of their ids: the version that counts or counted last, else the newest. */
export async function getWorkflows(
  ctx: Context,
  client_id: string,
  page: { cursor?: string; limit: number },
): Promise<Page<WorkflowView>> {
  const { cursorKey } = ctx.keys
  const list = `workflows ${client_id}`
  const after = page.cursor === undefined ? {} : { after: decodeCursor(cursorKey, list, page.cursor) }
  const rows = await listWorkflows(ctx, client_id, { ...after, limit: page.limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, list, rows, page.limit, row => row.workflow_id)
  return { items: items.map(workflowView), next_cursor }
}

/** One workflow with its newest versions, as whoever decides about them sees it. Throws Problem `not_found`. */
export async function getWorkflow(ctx: Context, { client_id, workflow_id }: WorkflowName): Promise<WorkflowDetail> {
  const workflow = await findWorkflow(ctx, client_id, workflow_id)
  if (!workflow) throw new Problem('not_found', 'The client has no workflow of this workflow_id.')
  const versions = await listVersions(ctx, client_id, workflow_id, SHOWN_VERSIONS)
  const { status, version } = workflow
  return { client_id, workflow_id, status, version, versions: versions.map(versionView) }
}

function workflowView(row: WorkflowListRow): WorkflowView {
  const { workflow_id, version, status, workflow_status, pending, registered_at, definition } = row
  return {
    workflow_id,
    workflow_type: 'dag',
    version,
    status: workflow_status === 'active' ? status : workflow_status,
    pending: Number(pending ?? 0),
    registered_at: registered_at.toISOString(),
    step_ids: definition.steps.map(step => step.step_id),
    steps: Object.fromEntries(definition.steps.map(step => [step.step_id, referenceStep(step)])),
  }
}

function referenceStep(step: WorkflowStep): WorkflowView['steps'][string] {
  const { step_id: _step_id, agent_id: agent, ...view } = stepView(step)
  return { ...view, agent, scopes: [...new Set((step.access ?? []).flatMap(entry => entry.scope.split(' ')))] }
}

function versionView(row: WorkflowVersionRow): WorkflowDetail['versions'][number] {
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
