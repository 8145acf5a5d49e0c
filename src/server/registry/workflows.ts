import { sha256 } from '../../protocol/digest.ts'
import { canonicalJson } from '../../protocol/jcs.ts'
import type { WorkflowAnswer, WorkflowRegistration } from '../../protocol/workflow.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { knownAgentIds } from '../store/agents.ts'
import { activateWorkflowVersion, insertWorkflowVersion, lockWorkflow } from '../store/workflow-changes.ts'
import { findLastDefinition, findNewestVersion, findStandingVersion } from '../store/workflows.ts'
import type { Outcome } from './act.ts'
import { clientToRegisterFor } from './app-client.ts'
import { grantableAccess } from './ceiling.ts'
import { ownerOfClient } from './four-eyes.ts'
import { validateDefinition } from './workflow-definition.ts'
import { loosenings } from './workflow-loosening.ts'

/**
 * Registers a version of a workflow (protocol.md section 5), inside `act`. The newest definition again is `skipped`; a
 * changed one counts at once, or is `pending` where it loosens what counts now, or counted last, and the client asks for
 * approval. One that was deregistered comes back as a new version, one that was revoked only by another owner's approval.
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
  validateDefinition(steps, await knownAgentIds(tx, client_id, agent_ids), {
    access: grantableAccess(client.access, tx.config),
    recorded: client.policies.workflow_state === 'recorded',
  })
  const definition_digest = sha256(canonicalJson(steps))

  const workflow = await lockWorkflow(tx, client_id, workflow_id, tx.now())
  const standing = await findStandingVersion(tx, client_id, workflow_id)
  if (standing?.definition_digest.equals(definition_digest)) {
    if (standing.status === 'pending') return workflowOutcome(client_id, workflow_id, standing.version, 'pending')
    if (workflow?.status === 'active') return workflowOutcome(client_id, workflow_id, standing.version, 'skipped')
  }
  const last = await findLastDefinition(tx, client_id, workflow_id)
  const asks = client.policies.require_approval && last !== undefined && loosenings(last, steps).length > 0
  const pending = workflow?.status === 'revoked' || asks
  const version = ((await findNewestVersion(tx, client_id, workflow_id))?.version ?? 0) + 1
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
    registered_client: caller.client_id,
    registered_client_owner: await ownerOfClient(tx, caller.client_id),
    approved_at: null,
    approved_by: null,
    rejected_at: null,
    rejected_by: null,
    reject_reason: null,
  })
  if (!pending) await activateWorkflowVersion(tx, { client_id, workflow_id, version })
  return workflowOutcome(client_id, workflow_id, version, pending ? 'pending' : 'registered')
}

export function workflowOutcome(
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
