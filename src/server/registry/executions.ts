import type { Access } from '../../protocol/access.ts'
import { OAuthError } from '../../protocol/errors.ts'
import {
  type ExecutionLimits,
  type ExecutionOpen,
  type ExecutionSummary,
  limitsText,
} from '../../protocol/execution.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findClient } from '../store/clients.ts'
import { findExecution, findExecutionByOpening, insertExecution, type PinnedExecution } from '../store/executions.ts'
import { standingRevocation } from '../store/revocations.ts'
import { lapseOf, type RecordRef } from '../store/standing.ts'
import { findActiveWorkflow } from '../store/workflows.ts'
import type { Outcome } from './act.ts'
import { newExecution, openingDigest } from './execution-opening.ts'
import { summaryView } from './execution-views.ts'

/** The person whose intent an execution serves, proven by a token of a trusted issuer. */
type Initiator = {
  readonly sub: string
  readonly access: Access | null
  readonly digest: Buffer
  readonly record: RecordRef
}

/**
 * Opens an execution ahead of its first mint (protocol.md section 6), inside `act` behind the shared gate: initiated by
 * the user of the subject token, else by the client. The same subject token and workflow again find the one that they
 * opened, as long as it is no less bounded than what is asked for now. `initiator` is a refusal where the subject token
 * was none. Throws `invalid_request`, `unauthorized_client`.
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
  await checkIssuerUnchanged(tx, initiator)
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
  if (!isNew) checkAsOpened(execution, body, tx.now())
  const { execution_id } = execution
  return {
    status: isNew ? 201 : 200,
    body: summaryView(execution, tx.now()),
    audit: { client_id, execution_id, details: { workflow_id, initiated_by, opened: isNew } },
  }
}

/** The token was read before the gate: by the rules of the record since then it may be worth something else. */
async function checkIssuerUnchanged(tx: Context, initiator: Initiator | undefined): Promise<void> {
  if (!initiator) return
  const { changed } = await lapseOf(tx, { records: [initiator.record], refs: [], now: tx.now() })
  if (changed)
    throw refused('invalid_request', 'The record of the issuer changed meanwhile; ask again.', 'issuer_changed')
}

/** Whoever binds an intent or lowers a limit must not get an execution without it, and not know. Throws `invalid_request`. */
function checkAsOpened(
  execution: PinnedExecution,
  { intent_digest, limits, expires_in }: ExecutionOpen,
  now: Date,
): void {
  const { execution_id, opened_at, expires_at, status } = execution
  if (status !== 'open' || expires_at <= now) {
    throw refused(
      'invalid_request',
      'The execution that this subject token opened has ended; another one needs a new subject token.',
      'opened_and_ended',
    )
  }
  const lifetime = Math.round((expires_at.getTime() - opened_at.getTime()) / 1000)
  const isMore = (['max_tokens', 'max_children', 'max_nodes'] as const).some(
    name => execution.limits[name] > (limits[name] ?? Number.POSITIVE_INFINITY),
  )
  const isOther = intent_digest !== undefined && intent_digest !== execution.intent_digest
  const isLonger = expires_in !== undefined && lifetime > expires_in
  if (!isMore && !isOther && !isLonger) return
  throw new OAuthError(
    'invalid_request',
    'This subject token opened an execution of the workflow before, with another intent_digest, higher limits or a longer life.',
    {
      reason: 'opened_otherwise',
      compared: {
        opened_before: execution_id,
        limits: limitsText(execution.limits),
        limits_asked: limitsText({ ...execution.limits, ...limits }),
        lifetime,
        lifetime_asked: expires_in ?? 'not named',
        intent_digest: isOther ? 'another one' : 'the same, or not named',
      },
    },
  )
}

/** An execution is never allowed more than its client. Throws `invalid_request`. */
function loweredLimits(most: ExecutionLimits, asked: ExecutionOpen['limits']): ExecutionLimits {
  const lowered = {
    max_tokens: asked.max_tokens ?? most.max_tokens,
    max_children: asked.max_children ?? most.max_children,
    max_nodes: asked.max_nodes ?? most.max_nodes,
  }
  const isLower =
    lowered.max_tokens <= most.max_tokens &&
    lowered.max_children <= most.max_children &&
    lowered.max_nodes <= most.max_nodes
  if (isLower) return lowered
  throw new OAuthError('invalid_request', "The limits of an execution only lower the client's own.", {
    reason: 'limits_above_client',
    compared: { limits_asked: limitsText(lowered), limits_of_client: limitsText(most) },
  })
}

function refused(code: 'invalid_request' | 'unauthorized_client', description: string, reason: string): OAuthError {
  return new OAuthError(code, description, { reason })
}
