import { z } from 'zod'
import { sha256 } from '../../protocol/digest.ts'
import { canonicalJson } from '../../protocol/jcs.ts'
import { Problem } from '../../protocol/problem.ts'
import type { WorkflowAnswer, WorkflowRegistration, WorkflowStep } from '../../protocol/workflow.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { knownAgentIds } from '../store/agents.ts'
import { findClient } from '../store/clients.ts'
import {
  activateWorkflowVersion,
  findActiveWorkflow,
  findNewestVersion,
  findVersion,
  insertWorkflowVersion,
  listWorkflows,
  lockWorkflow,
  type WorkflowListRow,
} from '../store/workflows.ts'
import type { Outcome } from './act.ts'
import { clientToRegisterFor } from './app-client.ts'
import { grantableAccess } from './ceiling.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { checkFourEyes } from './four-eyes.ts'
import { loosens, validateDefinition } from './workflow-definition.ts'

/**
 * Registers a version of a workflow (protocol.md section 5), inside `act`. The newest definition again is `skipped`; a
 * changed one counts at once, or is `pending` where it loosens what counts now and the client asks for approval.
 * Throws `unauthorized_client`, `invalid_request`.
 */
export async function registerWorkflow(
  tx: Context,
  caller: Caller,
  { workflow_id, app_id, steps }: WorkflowRegistration,
): Promise<Outcome<WorkflowAnswer>> {
  const client = await clientToRegisterFor(tx, caller, app_id ?? caller.client_id)
  const { client_id } = client
  const agent_ids = [...new Set(steps.flatMap(step => step.agent_id ?? []))].sort()
  validateDefinition(steps, await knownAgentIds(tx, client_id, agent_ids), grantableAccess(client.access, tx.config))
  const definition_digest = sha256(canonicalJson(steps))

  await lockWorkflow(tx, client_id, workflow_id, tx.now())
  const newest = await findNewestVersion(tx, client_id, workflow_id)
  if (newest?.definition_digest.equals(definition_digest)) {
    return outcome(client_id, workflow_id, newest.version, newest.status === 'pending' ? 'pending' : 'skipped')
  }
  const active = await findActiveWorkflow(tx, client_id, workflow_id)
  const pending = client.policies.require_approval && active !== undefined && loosens(active.steps, steps)
  const version = (newest?.version ?? 0) + 1
  await insertWorkflowVersion(tx, {
    client_id,
    workflow_id,
    version,
    definition: { steps },
    definition_digest,
    agent_ids,
    status: 'pending',
    registered_at: tx.now(),
    registered_by: caller.sub,
    registered_owner: caller.acting_owner,
    approved_at: null,
    approved_by: null,
    rejected_at: null,
    rejected_by: null,
    reject_reason: null,
  })
  if (!pending) await activateWorkflowVersion(tx, { client_id, workflow_id, version })
  return outcome(client_id, workflow_id, version, pending ? 'pending' : 'registered')
}

/**
 * Approves the newest, pending version of a workflow, inside `act`. Throws Problem `not_found`, `conflict` where it is
 * not pending or was replaced, `forbidden`.
 */
export async function approveWorkflow(
  tx: Context,
  caller: Caller,
  { client_id, workflow_id }: { client_id: string; workflow_id: string },
  version: number,
): Promise<Outcome<WorkflowAnswer>> {
  const client = await findClient(tx, client_id)
  const newest = client && (await findNewestVersion(tx, client_id, workflow_id))
  if (!client || !newest) throw new Problem('not_found', 'The client has no workflow of this workflow_id.')
  await lockWorkflow(tx, client_id, workflow_id, tx.now())
  const proposal = await findVersion(tx, client_id, workflow_id, version)
  if (!proposal) throw new Problem('not_found', 'The workflow has no such version.')
  if (proposal.status !== 'pending') throw new Problem('conflict', 'The version is not pending.', 'not_pending')
  if ((await findNewestVersion(tx, client_id, workflow_id))?.version !== version) {
    throw new Problem('conflict', 'A newer version has replaced this one; approve that.', 'replaced')
  }
  await checkFourEyes(tx, caller, { registered_owner: proposal.registered_owner, owner: client.owner })
  const approval = { approved_at: tx.now(), approved_by: caller.sub }
  await activateWorkflowVersion(tx, { client_id, workflow_id, version }, approval)
  return outcome(client_id, workflow_id, version, 'registered')
}

function outcome(
  client_id: string,
  workflow_id: string,
  version: number,
  status: WorkflowAnswer['status'],
): Outcome<WorkflowAnswer> {
  return {
    status: 200,
    body: { status, workflow_id, version },
    audit: { client_id, details: { workflow_id, version, status } },
  }
}

/** A workflow in the reference client's shape, with our pairs beside its flat scopes and the order of its steps. */
export const workflowViewSchema = z.object({
  workflow_id: z.string(),
  workflow_type: z.literal('dag'),
  version: z.number(),
  status: z.string(),
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

/** Workflows of a client in the order of their ids: the version that counts, else the newest. */
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

function workflowView({ workflow_id, version, status, registered_at, definition }: WorkflowListRow): WorkflowView {
  return {
    workflow_id,
    workflow_type: 'dag',
    version,
    status,
    registered_at: registered_at.toISOString(),
    step_ids: definition.steps.map(step => step.step_id),
    steps: Object.fromEntries(definition.steps.map(step => [step.step_id, stepView(step)])),
  }
}

function stepView(step: WorkflowStep): WorkflowView['steps'][string] {
  const { agent_id, action, access, dependencies, required, approval_gate, requires_approval } = step
  return {
    agent: agent_id ?? null,
    action: action ?? null,
    scopes: [...new Set((access ?? []).flatMap(entry => entry.scope.split(' ')))],
    access: access ?? null,
    dependencies,
    required,
    approval_gate,
    requires_approval,
  }
}
