import { OAuthError } from '../../protocol/errors.ts'
import type { WorkflowRequest } from '../../protocol/workflow-request.ts'
import type { Context } from '../context.ts'
import { openApproval } from '../registry/open-approval.ts'
import { type JudgedStep, judgeStep } from '../registry/recorded-step.ts'
import { unapproved } from '../registry/step-approval.ts'
import { consumeApproval } from '../store/approvals.ts'
import { lockExecutionRecord } from '../store/execution-record.ts'
import { insertExecution, recordEntry } from '../store/executions.ts'
import { Undone } from '../store/group-commit.ts'
import { inTurn } from '../store/together.ts'
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
  const { execution_id } = entry
  if (entry.opening) {
    // Not opened by a refusal: anybody could open as many as they like (ADR 17).
    if (typeof entry.judged.approval === 'string') return executionRequired()
    // Another mint with the same user token opened it meanwhile: this one is judged again, as one of that execution.
    if (!(await open(tx, entry.opening))) throw new Undone()
    return await record(tx, execution_id, entry.judged, asked.now)
  }
  const judged = await judgeAgain(tx, execution_id, entry, asked)
  if (judged instanceof OAuthError) return judged
  if (judged.approval === 'missing') return await awaitApproval(tx, execution_id, entry, asked)
  if (typeof judged.approval === 'string') return unapproved(judged.approval)
  return await record(tx, execution_id, judged, asked.now)
}

async function judgeAgain(
  tx: Context,
  execution_id: string,
  entry: StepEntry,
  { workflow, now }: Asked,
): Promise<JudgedStep | OAuthError> {
  const { execution, recorded } = await lockExecutionRecord(tx, askedRecord(execution_id, workflow))
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
  if (approval !== undefined && typeof approval !== 'string' && approval.entry === null) {
    const taken = await consume(tx, { approval_id: approval.approval_id, entry, now })
    if (!taken) throw new Error('An approval was taken behind the lock.')
  }
  await recordEntry(tx, { execution_id, step_id: step.step_id, entry, how, leaves, now })
  return { execution_id, judged }
}

type Opening = NonNullable<StepEntry['opening']>
/** @returns false where the same opening made one before */
const open = inTurn(
  OPEN,
  ({ execution_id, opening }: Opening) => opening?.toString('hex') ?? execution_id,
  insertExecution,
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

function executionRequired(): OAuthError {
  return new OAuthError(
    'workflow_step_unauthorized',
    'The step needs an approval, and that an execution: open one with POST /intent/executions first.',
    { ajwt_error: 'approval_required', reason: 'execution_required' },
  )
}
