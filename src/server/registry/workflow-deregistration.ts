import type { z } from 'zod'
import { OAuthError } from '../../protocol/errors.ts'
import type { WorkflowDeregistration, workflowDeregisteredSchema } from '../../protocol/workflow.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { endExecutions, hasOpenExecutions } from '../store/execution-ends.ts'
import { enterGateExclusive } from '../store/gate.ts'
import { deregisterWorkflow as deregister, lockWorkflow } from '../store/workflow-changes.ts'
import { findWorkflow } from '../store/workflows.ts'
import type { Outcome } from './act.ts'
import { clientToRegisterFor } from './app-client.ts'

type Answer = z.output<typeof workflowDeregisteredSchema>

/**
 * The gate of `deregisterWorkflow`, entered only for a workflow that the caller may end: whoever names others' must not
 * hold back a mint. Throws `unauthorized_client`, `invalid_request`.
 */
export async function enterGateToDeregister(tx: Context, caller: Caller, asked: WorkflowDeregistration): Promise<void> {
  await checkKnown(tx, caller, asked)
  await enterGateExclusive(tx)
}

/**
 * Ends a workflow (protocol.md section 5), inside `act` behind `enterGateToDeregister`: nothing is minted for it
 * afterwards, and its agents stay bound by it until a grant or another version sets them free. Again is 200 again.
 * Open executions forbid it, unless `close` ends them: nothing more is minted in them, and what was minted keeps its own
 * time. Throws `unauthorized_client`, `invalid_request` (409 for open executions).
 */
export async function deregisterWorkflow(
  tx: Context,
  caller: Caller,
  asked: WorkflowDeregistration,
): Promise<Outcome<Answer>> {
  const { workflow_id } = asked
  const client_id = await checkKnown(tx, caller, asked)
  const workflow = await lockWorkflow(tx, client_id, workflow_id, tx.now())
  if (!workflow) throw unknown()
  if (workflow.status === 'revoked') {
    throw new OAuthError('invalid_request', 'The workflow was revoked; there is nothing left to deregister.', {
      reason: 'workflow_revoked',
    })
  }
  const closed = await endOpenExecutions(tx, { client_id, workflow_id }, asked.close === 'true')
  if (workflow.status === 'active') await deregister(tx, client_id, workflow_id)
  const { version } = workflow
  return {
    status: 200,
    body: { status: 'deregistered', workflow_id, version, closed },
    audit: { client_id, details: { workflow_id, version, status: 'deregistered', closed } },
  }
}

/** @returns how many were closed */
async function endOpenExecutions(
  tx: Context,
  workflow: { readonly client_id: string; readonly workflow_id: string },
  close: boolean,
): Promise<number> {
  const now = tx.now()
  if (close) return (await endExecutions(tx, workflow, { status: 'closed', now })).length
  if (!(await hasOpenExecutions(tx, workflow, now))) return 0
  throw new OAuthError('invalid_request', 'The workflow has open executions; close=true ends them.', {
    reason: 'open_executions',
    status: 409,
  })
}

/** @returns the client whose workflow it is */
async function checkKnown(
  tx: Context,
  caller: Caller,
  { workflow_id, app_id }: WorkflowDeregistration,
): Promise<string> {
  const { client_id } = await clientToRegisterFor(tx, caller, app_id ?? caller.client_id)
  if (!(await findWorkflow(tx, client_id, workflow_id))) throw unknown()
  return client_id
}

function unknown(): OAuthError {
  return new OAuthError('invalid_request', 'The client has no workflow of this workflow_id.', {
    reason: 'unknown_workflow',
  })
}
