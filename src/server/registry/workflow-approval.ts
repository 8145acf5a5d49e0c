import { Problem } from '../../protocol/problem.ts'
import type { WorkflowAnswer } from '../../protocol/workflow.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type Client, findClient } from '../store/clients.ts'
import { activateWorkflowVersion, lockWorkflow, rejectWorkflowVersion } from '../store/workflow-changes.ts'
import { findStandingVersion, findVersion, findWorkflow, type WorkflowVersionRow } from '../store/workflows.ts'
import type { Outcome } from './act.ts'
import { checkFourEyes } from './four-eyes.ts'
import { workflowOutcome } from './workflows.ts'

export type WorkflowName = { readonly client_id: string; readonly workflow_id: string }

/**
 * Approves the newest, pending version of a workflow, inside `act`. Throws Problem `not_found`, `conflict` where it is
 * not pending or was replaced, `forbidden`.
 */
export async function approveWorkflow(
  tx: Context,
  caller: Caller,
  name: WorkflowName,
  version: number,
): Promise<Outcome<WorkflowAnswer>> {
  const { client_id, workflow_id } = name
  const { client, proposal } = await pendingVersion(tx, name, version)
  if ((await findStandingVersion(tx, client_id, workflow_id))?.version !== version) {
    throw new Problem('conflict', 'A newer version has replaced this one; approve that.', 'replaced')
  }
  await checkFourEyes(tx, caller, proposal, client)
  const approval = { approved_at: tx.now(), approved_by: caller.sub }
  await activateWorkflowVersion(tx, { client_id, workflow_id, version }, approval)
  return workflowOutcome(client_id, workflow_id, version, 'registered')
}

/**
 * Rejects a pending version, inside `act`: whoever may approve may also say no, to an own proposal too. The same
 * definition may be proposed again. Throws Problem `not_found`, `conflict` where it is not pending.
 */
export async function rejectWorkflow(
  tx: Context,
  caller: Caller,
  name: WorkflowName,
  { version, reason }: { version: number; reason: string },
): Promise<Outcome<WorkflowAnswer>> {
  const { client_id, workflow_id } = name
  await pendingVersion(tx, name, version)
  const rejection = { rejected_at: tx.now(), rejected_by: caller.sub, reject_reason: reason }
  if (!(await rejectWorkflowVersion(tx, { client_id, workflow_id, version }, rejection))) throw notPending()
  const { body } = workflowOutcome(client_id, workflow_id, version, 'rejected')
  return { status: 200, body, audit: { client_id, details: { workflow_id, version, reason } } }
}

/** With the workflow's row locked, so that one decision is taken. Throws Problem `not_found`, `conflict`. */
async function pendingVersion(
  tx: Context,
  { client_id, workflow_id }: WorkflowName,
  version: number,
): Promise<{ client: Client; proposal: WorkflowVersionRow }> {
  const client = await findClient(tx, client_id)
  if (!client || !(await findWorkflow(tx, client_id, workflow_id))) {
    throw new Problem('not_found', 'The client has no workflow of this workflow_id.')
  }
  if (client.status !== 'active') {
    throw new Problem('conflict', 'The client was revoked, which is final; nothing of it is left to decide.', 'revoked')
  }
  await lockWorkflow(tx, client_id, workflow_id, tx.now())
  const proposal = await findVersion(tx, client_id, workflow_id, version)
  if (!proposal) throw new Problem('not_found', 'The workflow has no such version.')
  if (proposal.status !== 'pending') throw notPending()
  return { client, proposal }
}

function notPending(): Problem {
  return new Problem(
    'conflict',
    'The version is not pending any more; "remit workflow show" says what became of it.',
    'not_pending',
  )
}
