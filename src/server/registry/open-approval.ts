import { OPEN_APPROVALS_MAX, OPEN_APPROVALS_OF_CLIENT_MAX } from '../../protocol/approval.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { Context } from '../context.ts'
import {
  countPendingApprovals,
  countPendingOfClient,
  findUnconsumedApproval,
  insertApproval,
} from '../store/approvals.ts'
import { lockExecution } from '../store/executions.ts'
import { sealArguments } from './approval-arguments.ts'
import { tellWebhooks } from './approval-events.ts'

/** A mint that lacks nothing but an approval. The arguments as JCS text, and with them their digest, or neither. */
type AskedApproval = {
  readonly execution_id: string
  readonly client_id: string
  readonly workflow_id: string
  readonly step_id: string
  readonly agent_id: string
  readonly resource: string
  readonly scope: string
  readonly arguments?: string | undefined
  readonly arguments_digest?: string | undefined
  readonly now: Date
}

/**
 * Opens the approval that a refused mint lacks, in the write of its refusal (protocol.md section 6): the same that waits,
 * or was granted and not consumed, is named again. Locks the execution, so that mints of it ask one after the other.
 * @returns its id; or the refusal to answer instead, where as many wait as may
 */
export async function openApproval(tx: Context, asked: AskedApproval): Promise<{ approval_id: string } | OAuthError> {
  const { execution_id, client_id, workflow_id, step_id, agent_id, resource, scope, now } = asked
  const { arguments: text, arguments_digest = null } = asked
  if ((text === undefined) !== (arguments_digest === null)) throw new Error('Arguments and their digest go together.')
  const execution = await lockExecution(tx, execution_id)
  if (!execution) throw new Error('An approval was asked for in no execution.')
  const known = await findUnconsumedApproval(tx, { execution_id, step_id, arguments_digest })
  if (known) return known
  if ((await countPendingApprovals(tx, execution_id)) >= OPEN_APPROVALS_MAX) {
    return new OAuthError('workflow_step_unauthorized', 'As many approvals of the execution wait as may.', {
      ajwt_error: 'limit_exceeded',
      reason: 'max_open_approvals',
    })
  }
  // Executions cost nothing: without it one client fills the list that approvers read.
  const most = OPEN_APPROVALS_OF_CLIENT_MAX
  if ((await countPendingOfClient(tx, client_id, most, now)) >= most) {
    return new OAuthError('workflow_step_unauthorized', 'As many approvals of the client wait as may.', {
      ajwt_error: 'limit_exceeded',
      reason: 'max_open_approvals_of_client',
    })
  }
  const approval_id = `apr_${tx.randomId()}`
  const opened = {
    ...{ approval_id, execution_id, client_id, workflow_id, step_id, agent_id, resource, scope, arguments_digest },
    status: 'pending' as const,
  }
  const arguments_sealed = text === undefined ? null : sealArguments(tx, approval_id, text)
  if (!(await insertApproval(tx, { ...opened, arguments_sealed, opened_at: now }))) {
    throw new Error('An approval was opened beside the lock of its execution.')
  }
  await tellWebhooks(tx, 'approval.opened', { ...opened, expires_at: execution.expires_at }, now)
  return { approval_id }
}
