import type { Access } from '../../protocol/access.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { ExecutionLimits } from '../../protocol/execution.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import { approvalOf, type StepApproval, type Unapproved } from './step-approval.ts'
import type { ExecutionRecord, StepGraph } from './step-record.ts'

/** A mint for one step of an execution: who asks, with what, and what the server has recorded. */
export type AskedStep = {
  readonly graph: StepGraph
  /** Empty where the execution is about to be opened. */
  readonly record: ExecutionRecord
  readonly limits: ExecutionLimits
  /** Minted in the whole execution so far. */
  readonly nodes: number
  readonly approvals: readonly StepApproval[]
  readonly workflow_step: string
  readonly agent_id: string
  /** By an assertion whose parent token is of this step of this execution. */
  readonly within_step: boolean
  /** Of that parent token: a delegation ends with the entry of the step in which it was given. */
  readonly lent_entry?: number | undefined
  /** Whether the request names no execution: then only an entry step opens one. */
  readonly opens: boolean
  readonly completed_steps: readonly string[]
  readonly arguments_digest?: string | undefined
  /** Whether the arguments themselves came, and not only their digest. */
  readonly has_arguments: boolean
}

/** What a mint does to the record. */
export type JudgedStep = {
  readonly step: WorkflowStep
  readonly access?: Access
  /** `entered`: by this mint; `renewed`: it was entered before. */
  readonly how: 'entered' | 'renewed'
  /** Number of the entry that the token belongs to, from 1. */
  readonly entry: number
  /** Steps that this entry leaves. */
  readonly leaves: readonly string[]
  /** In definition order, approved gates included, the current step last. */
  readonly sequence: readonly string[]
  /** The step needs one: the one it has, or what it lacks. */
  readonly approval?: StepApproval | Unapproved
}

/**
 * The rules for a step in recorded mode (protocol.md section 6), on the server's record alone. What an approval lacks is
 * said in the answer, because it is refused last. Throws `workflow_step_unauthorized` (`limit_exceeded`).
 */
export function judgeStep(asked: AskedStep): JudgedStep {
  const { graph, record, workflow_step, limits } = asked
  const step = graph.steps.find(candidate => candidate.step_id === workflow_step)
  if (!step) throw refusal('The workflow has no step of this id.', 'unknown_step')
  checkWhoAsks(asked, step)
  checkCompletedSteps(asked)
  const missing_steps = graph.missing(record, workflow_step)
  if (asked.opens && graph.prerequisites(workflow_step).size > 0) {
    throw new OAuthError('invalid_request', 'Only an entry step opens an execution; name execution_id.', {
      reason: 'not_an_entry_step',
      missing_steps: inOrder(graph, graph.prerequisites(workflow_step)),
    })
  }
  if (missing_steps.length > 0) {
    throw new OAuthError('workflow_step_unauthorized', 'Steps that must come before this one are missing.', {
      reason: 'missing_steps',
      missing_steps,
    })
  }
  const known = record.get(workflow_step)
  if (known?.state === 'left' && (asked.within_step || step.repeatable !== true)) {
    throw refusal('The step was left, and may not be entered again.', 'step_left')
  }
  if (asked.within_step && known?.state !== 'entered') {
    throw refusal('The step is not entered now, so that nothing can be delegated in it.', 'step_not_entered')
  }
  if (asked.within_step && asked.lent_entry !== undefined && known?.entries !== asked.lent_entry) {
    throw refusal('The step was left since it was delegated, and entered again.', 'delegation_of_earlier_entry')
  }
  const renews = known?.state === 'entered'
  const entry = renews ? known.entries : (known?.entries ?? 0) + 1
  const most = step.reversible === false ? 1 : limits.max_tokens
  if (renews && known.tokens >= most) {
    throw new OAuthError(
      'workflow_step_unauthorized',
      'The step has all the tokens that it may have while it is entered.',
      {
        ajwt_error: 'limit_exceeded',
        reason: 'max_tokens',
        compared: { tokens_of_entry: known.tokens, max_tokens: most },
      },
    )
  }
  if (asked.nodes >= limits.max_nodes) {
    throw new OAuthError('workflow_step_unauthorized', 'The execution has all the tokens that it may have.', {
      ajwt_error: 'limit_exceeded',
      reason: 'max_nodes',
      compared: { tokens_of_execution: asked.nodes, max_nodes: limits.max_nodes },
    })
  }
  return {
    step,
    ...(step.access && { access: step.access }),
    how: renews ? 'renewed' : 'entered',
    entry,
    leaves: renews ? [] : enteredBefore(asked),
    sequence: sequenceOf(asked),
    ...neededApproval(asked, step, renews ? entry : undefined),
  }
}

function checkWhoAsks({ within_step, agent_id }: AskedStep, step: WorkflowStep): void {
  if (step.approval_gate) {
    throw refusal('The step is an approval gate; nothing is minted for it.', 'step_is_gate')
  }
  if (within_step) return
  if (step.agent_id === undefined) {
    throw refusal('The step is assigned to no agent; a recorded step must be.', 'step_of_nobody')
  }
  if (step.agent_id !== agent_id) throw refusal('The step is assigned to another agent.', 'step_of_other_agent')
}

/** What a caller says is done must be in the record: it is never believed, only compared. */
function checkCompletedSteps({ completed_steps, record }: AskedStep): void {
  const missing_steps = completed_steps.filter(id => !record.has(id))
  if (missing_steps.length === 0) return
  throw new OAuthError('workflow_step_unauthorized', 'A step that is said to be completed is not in the record.', {
    reason: 'completed_step_not_recorded',
    missing_steps,
  })
}

function inOrder({ steps }: StepGraph, ids: ReadonlySet<string>): readonly string[] {
  return steps.map(step => step.step_id).filter(id => ids.has(id))
}

function enteredBefore({ graph, record, workflow_step }: AskedStep): readonly string[] {
  const entered = [...record].filter(([, { state }]) => state === 'entered').map(([id]) => id)
  return entered.filter(id => graph.leaves(workflow_step, id))
}

function sequenceOf({ graph, record, workflow_step }: AskedStep): readonly string[] {
  const before = graph.steps.map(step => step.step_id).filter(id => id !== workflow_step && record.has(id))
  return [...before, workflow_step]
}

function neededApproval(asked: AskedStep, step: WorkflowStep, entry: number | undefined) {
  const approval = approvalOf(asked, step, entry)
  return approval === undefined ? {} : { approval }
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('workflow_step_unauthorized', description, { reason })
}
