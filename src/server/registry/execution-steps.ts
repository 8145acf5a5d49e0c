import type { ExecutionStepView } from '../../protocol/execution.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import type { ExecutionApprovalRow } from '../store/execution-reads.ts'
import type { ExecutionStepRow } from '../store/executions.ts'
import { isProtected, type StepGraph } from './step-record.ts'

type Approval = Pick<ExecutionApprovalRow, 'step_id' | 'status' | 'entry'>

/** The steps of an execution in the order of their definition, with what the record and its approvals make of them. */
export function stepViews(
  graph: StepGraph,
  recorded: readonly ExecutionStepRow[],
  approvals: readonly Approval[],
): ExecutionStepView[] {
  const record = new Map(recorded.map(row => [row.step_id, row]))
  return graph.steps.map(step => {
    const row = record.get(step.step_id)
    const ofStep = approvals.filter(approval => approval.step_id === step.step_id)
    return {
      step_id: step.step_id,
      agent_id: step.agent_id ?? null,
      required: step.required,
      requires_approval: step.requires_approval,
      approval_gate: step.approval_gate,
      repeatable: step.repeatable ?? false,
      reversible: step.reversible ?? true,
      dependencies: step.dependencies,
      action: step.action ?? null,
      state: row?.state ?? (graph.missing(record, step.step_id).length === 0 ? 'open' : 'waiting'),
      protected: needsApproval(graph, record, step) && !hasApproval(row, ofStep),
      entries: row?.entries ?? 0,
      tokens: row?.tokens ?? 0,
      entered_at: row?.entered_at.toISOString() ?? null,
      left_at: row?.left_at?.toISOString() ?? null,
    }
  })
}

/** Protected as protocol.md section 6 says; never a gate, for which nothing is minted, nor what cannot be entered again. */
function needsApproval(graph: StepGraph, record: ReadonlyMap<string, ExecutionStepRow>, step: WorkflowStep): boolean {
  if (step.approval_gate) return false
  if (record.get(step.step_id)?.state === 'left' && step.repeatable !== true) return false
  return isProtected(graph, record, step)
}

/** One that was granted and not yet used, or the one by which the step is entered now. */
function hasApproval(row: ExecutionStepRow | undefined, approvals: readonly Approval[]): boolean {
  const entered = row?.state === 'entered' ? row.entries : undefined
  return approvals.some(({ status, entry }) => status === 'granted' && (entry === null || entry === entered))
}
