import type { ApprovalDecision, ApprovalView } from '../../protocol/approval.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findApproval, type ListedApproval, lockApproval, updateDecision } from '../store/approvals.ts'
import { grantGates, lockExecution } from '../store/executions.ts'
import type { Outcome } from './act.ts'
import { tellWebhooks } from './approval-events.ts'
import { checkMayDecide, excludedOwners, versionOfApproval } from './approval-excluded.ts'
import { approvalView, unknownApproval } from './approvals.ts'
import { stepGraph } from './step-record.ts'

/**
 * Grants or denies one approval (protocol.md section 6), inside `act`. Granted, the gates that it guards are in the
 * record. The execution is locked first and the approval then, as a mint does, so that of two decisions one is taken.
 * Throws Problem `not_found`, `forbidden`, `conflict` where it is decided or too late, or where the digest is not that
 * of what was asked.
 */
export async function decideApproval(
  tx: Context,
  caller: Caller,
  approval_id: string,
  { decision, arguments_digest, reason }: ApprovalDecision,
): Promise<Outcome<ApprovalView>> {
  const approval = await findApproval(tx, approval_id)
  if (!approval) throw unknownApproval()
  const version = await versionOfApproval(tx, approval)
  await checkMayDecide(tx, caller, await excludedOwners(tx, approval, version))
  await lockOpen(tx, approval, arguments_digest)
  const { execution_id, client_id, agent_id, step_id } = approval
  const now = tx.now()
  const status = decision === 'grant' ? 'granted' : 'denied'
  const decided = { status, decided_at: now, decided_by: caller.sub, decision_reason: reason } as const
  await updateDecision(tx, approval_id, { ...decided, decided_owner: caller.acting_owner })
  const gates = decision === 'grant' ? stepGraph(version.definition.steps).gates(step_id) : []
  await grantGates(tx, execution_id, gates, now)
  const row = { ...approval, ...decided }
  await tellWebhooks(tx, 'approval.decided', row, now)
  return {
    status: 200,
    body: approvalView(row, now),
    audit: {
      ...{ client_id, agent_id, execution_id },
      details: { approval_id, workflow_step: step_id, arguments_digest, gates, reason },
    },
  }
}

async function lockOpen(
  tx: Context,
  { approval_id, execution_id }: ListedApproval,
  arguments_digest: string | null,
): Promise<void> {
  const execution = await lockExecution(tx, execution_id)
  const approval = await lockApproval(tx, approval_id)
  if (!execution || !approval) throw unknownApproval()
  if (approval.status !== 'pending') {
    throw new Problem('conflict', 'The approval was decided before; look at it again.', 'approval_decided')
  }
  if (execution.status !== 'open' || execution.expires_at <= tx.now()) {
    throw new Problem('conflict', 'The execution is over; nothing is left to decide.', 'execution_over')
  }
  if (approval.arguments_digest !== arguments_digest) {
    throw new Problem('conflict', 'This is not the digest of what is asked for; read it again.', 'digest_mismatch')
  }
}
