import { OAuthError } from '../../protocol/errors.ts'
import type { WorkflowRequest } from '../../protocol/workflow-request.ts'
import type { Context } from '../context.ts'
import { openApproval } from '../registry/open-approval.ts'
import { type JudgedStep, judgeStep } from '../registry/recorded-step.ts'
import { consumeApproval } from '../store/approvals.ts'
import { findExecutionRecord } from '../store/execution-record.ts'
import { findExecutionByOpening, insertExecution, lockExecution, recordEntry } from '../store/executions.ts'
import { inTurn } from '../store/together.ts'
import { workflowReplaced } from './lapse-refusal.ts'
import { askedRecord, endedExecution, recordOf, type StepEntry } from './step-entry.ts'

type Asked = {
  readonly client_id: string
  readonly agent_id: string
  readonly resource: string
  readonly scope: readonly string[]
  readonly workflow: WorkflowRequest
  readonly now: Date
}

/** Places of what the write of a step does, one after the other (store/group-commit.ts). */
const OPEN = 50
const APPROVE = 65

export type EnteredStep = { readonly execution_id: string; readonly judged: JudgedStep }

/**
 * Enters a step in the mint's write: opens the execution, or judges the step again behind its lock, so that of two
 * nodes one enters and the other renews (attacks.md 74); takes the approval that it needs, and where that is missing
 * opens one and says so. @returns why not
 */
export async function enterStep(tx: Context, entry: StepEntry, asked: Asked): Promise<EnteredStep | OAuthError> {
  const opened = entry.opening && (await open(tx, entry.opening))
  if (opened?.isNew) return await record(tx, entry.execution_id, entry.judged, asked.now)
  const execution_id = opened ? opened.execution_id : entry.execution_id
  if (execution_id instanceof OAuthError) return execution_id
  const judged = await judgeAgain(tx, execution_id, entry, asked)
  if (judged instanceof OAuthError) return judged
  if (judged.approval === 'missing') return await awaitApproval(tx, execution_id, entry, asked)
  return await record(tx, execution_id, judged, asked.now)
}

async function judgeAgain(
  tx: Context,
  execution_id: string,
  entry: StepEntry,
  { workflow, now }: Asked,
): Promise<JudgedStep | OAuthError> {
  const execution = await lockExecution(tx, execution_id)
  const recorded = await findExecutionRecord(tx, askedRecord(execution_id, workflow))
  if (!execution) throw new Error('An execution vanished.')
  const ended = endedExecution(execution, now)
  if (ended) return ended
  try {
    return judgeStep({ ...entry.asked, ...recordOf(recorded), opens: false, nodes: execution.tokens })
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
}

async function record(tx: Context, execution_id: string, judged: JudgedStep, now: Date): Promise<EnteredStep> {
  const { approval, entry, how, leaves, step } = judged
  if (approval !== undefined && approval !== 'missing' && approval.entry === null) {
    const taken = await consume(tx, { approval_id: approval.approval_id, entry, now })
    if (!taken) throw new Error('An approval was taken behind the lock.')
  }
  await recordEntry(tx, { execution_id, step_id: step.step_id, entry, how, leaves, now })
  return { execution_id, judged }
}

type Opening = NonNullable<StepEntry['opening']>
type Opened = { readonly isNew: boolean; readonly execution_id: string | OAuthError }

/**
 * Opens an execution; or finds the one that another mint with the same user token opened meanwhile, where this mint was
 * judged by the version it is pinned to.
 */
const open = inTurn(
  OPEN,
  ({ execution_id, opening }: Opening) => opening?.toString('hex') ?? execution_id,
  async (tx, opening): Promise<Opened> => {
    const isNew = await insertExecution(tx, opening)
    return { isNew, execution_id: isNew ? opening.execution_id : await sameOpening(tx, opening) }
  },
)

type Consumption = { readonly approval_id: string; readonly entry: number; readonly now: Date }

const consume = inTurn(
  APPROVE,
  ({ approval_id }: Consumption) => approval_id,
  async (tx, { approval_id, entry, now }) => {
    return await consumeApproval(tx, approval_id, entry, now)
  },
)

const openWaiting = inTurn(
  APPROVE,
  ({ execution_id }: Parameters<typeof openApproval>[1]) => execution_id,
  openApproval,
)

async function sameOpening(
  tx: Context,
  { client_id, opening, workflow_version }: Opening,
): Promise<string | OAuthError> {
  const execution = opening && (await findExecutionByOpening(tx, client_id, opening))
  if (!execution) throw new Error('An execution could not be opened.')
  return execution.workflow_version === workflow_version ? execution.execution_id : workflowReplaced()
}

/** Said last of all (protocol.md section 6): everything else that the mint needs is there. */
async function awaitApproval(
  tx: Context,
  execution_id: string,
  entry: StepEntry,
  { client_id, agent_id, resource, scope, workflow, now }: Asked,
): Promise<OAuthError> {
  const { workflow_id, workflow_step: step_id, arguments_digest } = workflow
  const opened = await openWaiting(tx, {
    ...{ execution_id, client_id, workflow_id, step_id, agent_id, resource, scope: scope.join(' '), now },
    ...(arguments_digest !== undefined && { arguments_digest, arguments: entry.arguments }),
  })
  if (opened instanceof OAuthError) return opened
  return new OAuthError(
    'workflow_step_unauthorized',
    'The step waits for an approval; ask again when it was granted.',
    { ajwt_error: 'approval_pending', approval_id: opened.approval_id },
  )
}
