import type { Insertable } from 'kysely'
import type { Access } from '../../protocol/access.ts'
import { delegationRefused } from '../../protocol/delegation.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { ExecutionLimits } from '../../protocol/execution.ts'
import { agentSubject } from '../../protocol/names.ts'
import type { AgentGrantRequest } from '../../protocol/token-request.ts'
import type { WorkflowRequest } from '../../protocol/workflow-request.ts'
import { newExecution, openingDigest } from '../registry/execution-opening.ts'
import { type AskedStep, type JudgedStep, judgeStep } from '../registry/recorded-step.ts'
import { stepGraph } from '../registry/step-record.ts'
import type { Client } from '../store/clients.ts'
import type { AskedRecord, Recorded } from '../store/execution-record.ts'
import { findExecutionByOpening, type PinnedExecution } from '../store/executions.ts'
import type { ExecutionTable } from '../store/schema-execution.ts'
import type { ProvenDelegation } from './delegation.ts'
import type { PassContext } from './known-records.ts'
import type { ForeignSubject } from './subject-token.ts'

/** A step that may be entered, as far as was read: judged again, and entered, by the mint's write. */
export type StepEntry = {
  readonly execution_id: string
  readonly workflow_version: number
  /** Set where this mint opens the execution. */
  readonly opening?: Insertable<ExecutionTable>
  readonly limits: ExecutionLimits
  readonly expires_at: Date
  readonly initiated_by: string
  /** What the initiator's claims allow; null: everything. */
  readonly access: Access | null
  readonly intent_digest: string | null
  readonly asked: AskedStep
  /** JCS text, for the approval that a refusal may open. */
  readonly arguments?: string
  readonly judged: JudgedStep
}

type Sent = {
  readonly request: AgentGrantRequest
  readonly workflow: WorkflowRequest
  readonly client: Client
  readonly agent_id: string
  readonly initiator: ForeignSubject | undefined
  readonly delegation: ProvenDelegation | undefined
}

/**
 * Row 8 of protocol.md section 6, recorded: joins the execution that the request or its assertion names, finds the one
 * that the same user token opened, or is to open one at an entry step. Reads only. Throws `workflow_step_unauthorized`,
 * and `delegation_unauthorized` for another initiator or an assertion of another execution.
 */
export async function prepareEntry(ctx: PassContext, sent: Sent): Promise<StepEntry> {
  const execution = await namedExecution(ctx, sent)
  if (!execution) return await prepareOpening(ctx, sent)
  if (execution.client_id !== sent.client.client_id) throw unknownExecution()
  return await joinExecution(ctx, sent, execution).catch(refusedIn(execution.execution_id))
}

async function joinExecution(ctx: PassContext, sent: Sent, execution: PinnedExecution): Promise<StepEntry> {
  const { workflow, initiator } = sent
  if (initiator && initiator.sub !== execution.initiated_by) throw delegationRefused('other_initiator')
  if (execution.workflow_id !== workflow.workflow_id) {
    throw refusal('The execution is one of another workflow.', 'execution_of_other_workflow')
  }
  const ended = endedExecution(execution, ctx.now())
  if (ended) throw ended
  const { execution_id, workflow_version, limits, expires_at, initiated_by, access, intent_digest } = execution
  const asked: AskedStep = {
    ...askedOf(sent, false),
    graph: stepGraph(execution.steps),
    limits,
    nodes: execution.tokens,
    ...recordOf(await ctx.known.executionRecord(askedRecord(execution_id, workflow))),
  }
  return {
    ...{ execution_id, workflow_version, limits, expires_at, initiated_by, access, intent_digest, asked },
    ...(workflow.arguments !== undefined && { arguments: workflow.arguments }),
    judged: judgeStep(asked),
  }
}

/** Makes what rethrows a refusal with the execution that it was judged in: the request need not have named it. */
function refusedIn(execution_id: string): (error: unknown) => never {
  return error => {
    if (!(error instanceof OAuthError)) throw error
    throw new OAuthError(error.code, error.message, { ...error.details, execution_id })
  }
}

/** What the server has recorded of an execution, and the approvals of one of its steps. */
export function recordOf({ steps, approvals }: Recorded): Pick<AskedStep, 'approvals' | 'record'> {
  return { record: new Map(steps.map(step => [step.step_id, step])), approvals }
}

export function askedRecord(execution_id: string, workflow: WorkflowRequest): AskedRecord {
  const { workflow_step: step_id, arguments_digest = null } = workflow
  return { execution_id, step_id, arguments_digest }
}

/** Why nothing is minted in an execution any more, or undefined. */
export function endedExecution(
  { status, expires_at }: Pick<PinnedExecution, 'status' | 'expires_at'>,
  now: Date,
): OAuthError | undefined {
  if (status === 'closed') return refusal('The execution was closed with its workflow.', 'execution_closed')
  if (status === 'revoked') return refusal('The execution was revoked; it does not go on.', 'execution_revoked')
  if (expires_at <= now) return refusal('The execution has ended; start another one.', 'execution_expired')
  return undefined
}

async function namedExecution(ctx: PassContext, sent: Sent): Promise<PinnedExecution | undefined> {
  const { client, agent_id, initiator, workflow, delegation } = sent
  const { execution_id = delegation?.parent.execution_id ?? undefined } = workflow
  if (execution_id !== undefined) {
    const execution = await ctx.known.execution(execution_id)
    if (!execution) throw unknownExecution()
    return execution
  }
  if (!initiator) return undefined
  const { client_id } = client
  const { workflow_id } = workflow
  // What was opened ahead has the digest of the intent and lower limits: a mint that names no execution has them too.
  const ahead = await findExecutionByOpening(ctx, client_id, openingDigest(initiator, { workflow_id }))
  if (ahead) return ahead
  return await findExecutionByOpening(ctx, client_id, openingDigest(initiator, { ...workflow, agent_id }))
}

async function prepareOpening(ctx: PassContext, sent: Sent): Promise<StepEntry> {
  const { client, agent_id, initiator, workflow } = sent
  const { client_id } = client
  const { workflow_id } = workflow
  const active = await ctx.known.workflow(client_id, workflow_id)
  if (!active) throw refusal('The client has no workflow of this workflow_id.', 'unknown_workflow')
  const { limits } = client.policies
  const asked: AskedStep = {
    ...askedOf(sent, true),
    ...{ graph: stepGraph(active.steps), limits, nodes: 0, record: new Map(), approvals: [] },
  }
  const judged = judgeStep(asked)
  const initiated_by = initiator?.sub ?? agentSubject(client_id, agent_id)
  const opening = newExecution(ctx, {
    ...{
      client_id,
      workflow_id,
      workflow_version: active.version,
      initiated_by,
      opened_by: agentSubject(client_id, agent_id),
    },
    ...{ limits, access: initiator?.access ?? null },
    ...(initiator && { opening: openingDigest(initiator, { ...workflow, agent_id }) }),
  })
  const { execution_id, expires_at } = opening
  return {
    ...{ execution_id, opening, limits, expires_at, initiated_by, asked, judged },
    ...{ workflow_version: active.version, access: initiator?.access ?? null, intent_digest: null },
  }
}

function askedOf(sent: Sent, opens: boolean): Omit<AskedStep, 'graph' | 'limits' | 'nodes' | 'record' | 'approvals'> {
  const { request, workflow, agent_id, delegation } = sent
  return {
    ...{ workflow_step: workflow.workflow_step, agent_id, within_step: delegation?.within_step === true, opens },
    lent_entry: delegation?.parent.step_entry ?? undefined,
    completed_steps: request.completed_steps ?? [],
    arguments_digest: workflow.arguments_digest,
    has_arguments: workflow.arguments !== undefined,
  }
}

function unknownExecution(): OAuthError {
  return refusal('The client has no execution of this execution_id.', 'unknown_execution')
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('workflow_step_unauthorized', description, { reason })
}
