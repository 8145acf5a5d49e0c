import type { Access } from '../../protocol/access.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { ExecutionLimits, ExecutionOpen, ExecutionSummary } from '../../protocol/execution.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findClient } from '../store/clients.ts'
import { findExecution, findExecutionByOpening, insertExecution } from '../store/executions.ts'
import { standingRevocation } from '../store/revocations.ts'
import { findActiveWorkflow } from '../store/workflows.ts'
import type { Outcome } from './act.ts'
import { newExecution, openingDigest } from './execution-opening.ts'
import { summaryView } from './execution-views.ts'

/** The person whose intent an execution serves, proven by a token of a trusted issuer. */
type Initiator = { readonly sub: string; readonly access: Access | null; readonly digest: Buffer }

/**
 * Opens an execution ahead of its first mint (protocol.md section 6), inside `act` behind the shared gate: initiated by
 * the user of the subject token, else by the client. The same subject token and workflow again find the one that they
 * opened. `initiator` is a refusal where the subject token was none. Throws `invalid_request`, `unauthorized_client`.
 */
export async function openExecution(
  tx: Context,
  caller: Caller,
  body: ExecutionOpen,
  initiator: Initiator | OAuthError | undefined,
): Promise<Outcome<ExecutionSummary>> {
  if (initiator instanceof OAuthError) throw initiator
  const { client_id } = caller
  const { workflow_id, intent_digest, expires_in } = body
  const client = await findClient(tx, client_id)
  if (client?.status !== 'active') throw refused('unauthorized_client', 'The client is not active.', 'client_revoked')
  const { workflow_state, limits } = client.policies
  if (workflow_state !== 'recorded') {
    throw refused('invalid_request', 'Only a client with workflow_state recorded has executions.', 'recorded_only')
  }
  const workflow = await findActiveWorkflow(tx, client_id, workflow_id)
  if (!workflow) {
    throw refused('invalid_request', 'The client has no workflow of this workflow_id.', 'unknown_workflow')
  }
  const initiated_by = initiator?.sub ?? client_id
  if (await standingRevocation(tx, [{ kind: 'initiator', id: initiated_by }], tx.now())) {
    throw refused('unauthorized_client', 'The initiator was revoked.', 'initiator_revoked')
  }
  const opening = initiator && openingDigest(initiator, { workflow_id })
  const row = newExecution(tx, {
    ...{ client_id, workflow_id, workflow_version: workflow.version, initiated_by, opened_by: caller.sub, expires_in },
    ...{ limits: loweredLimits(limits, body.limits), access: initiator?.access ?? null },
    ...(opening && { opening }),
    ...(intent_digest !== undefined && { intent_digest }),
  })
  const isNew = await insertExecution(tx, row)
  const execution = isNew
    ? await findExecution(tx, row.execution_id)
    : opening && (await findExecutionByOpening(tx, client_id, opening))
  if (!execution) throw new Error('An execution could not be opened.')
  const { execution_id } = execution
  return {
    status: isNew ? 201 : 200,
    body: summaryView(execution, tx.now()),
    audit: { client_id, execution_id, details: { workflow_id, initiated_by, opened: isNew } },
  }
}

/** An execution is never allowed more than its client. Throws `invalid_request`. */
function loweredLimits(most: ExecutionLimits, asked: ExecutionOpen['limits']): ExecutionLimits {
  const max_tokens = lowered(most.max_tokens, asked.max_tokens)
  const max_children = lowered(most.max_children, asked.max_children)
  return { max_tokens, max_children, max_nodes: lowered(most.max_nodes, asked.max_nodes) }
}

function lowered(most: number, asked: number | undefined): number {
  if (asked === undefined || asked <= most) return asked ?? most
  throw refused('invalid_request', "The limits of an execution only lower the client's own.", 'limits_above_client')
}

function refused(code: 'invalid_request' | 'unauthorized_client', description: string, reason: string): OAuthError {
  return new OAuthError(code, description, { reason })
}
