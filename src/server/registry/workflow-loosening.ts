import { isWithin } from '../../protocol/access.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import { WORKFLOW_CAUSES, type WorkflowCause, type WorkflowPendingCause } from '../../protocol/workflow-causes.ts'
import { stepGraph } from './step-record.ts'

/**
 * Where a new definition removes or loosens a gate, an assignment or an access of the old one (protocol.md section 5);
 * empty where it does not. In doubt it does: a step taken away, moved, handed to another agent, or added where its agent
 * had less.
 */
export function loosenings(
  previous: readonly WorkflowStep[],
  next: readonly WorkflowStep[],
): readonly WorkflowPendingCause[] {
  const before = new Map(previous.map(step => [step.step_id, step]))
  const ids = new Set(next.map(step => step.step_id))
  const kept = previous.filter(step => ids.has(step.step_id))
  const order = next.filter(step => before.has(step.step_id)).map(step => step.step_id)
  return [
    // With its first dependency an order becomes a graph, in which fewer steps are left behind (ADR 17).
    ...(!hasDependencies(previous) && hasDependencies(next) ? [because('order_became_graph', null)] : []),
    ...previous.filter(step => !ids.has(step.step_id)).map(step => because('step_removed', step.step_id)),
    ...kept.filter((step, index) => step.step_id !== order[index]).map(step => because('step_moved', step.step_id)),
    ...gatesLost(previous, next, kept),
    ...next.flatMap(step => {
      const old = before.get(step.step_id)
      const causes = old ? stepLoosenings(old, step) : additionLoosenings(previous, step)
      return causes.map(cause => because(cause, step.step_id))
    }),
  ]
}

function because(cause: WorkflowCause, step_id: string | null): WorkflowPendingCause {
  return { cause, step_id }
}

/** A step that waited for a gate, and for what that waits for, waits for another one or for none. */
function gatesLost(previous: readonly WorkflowStep[], next: readonly WorkflowStep[], kept: readonly WorkflowStep[]) {
  const [before, after] = [stepGraph(previous), stepGraph(next)]
  const lost = kept.filter(({ step_id }) => {
    const gates = after.gates(step_id)
    return before.gates(step_id).some(gate => !gates.includes(gate))
  })
  return lost.map(step => because('gate_lost', step.step_id))
}

function hasDependencies(steps: readonly WorkflowStep[]): boolean {
  return steps.some(step => step.dependencies.length > 0)
}

function stepLoosenings(old: WorkflowStep, step: WorkflowStep): readonly WorkflowCause[] {
  const judged: Partial<Record<WorkflowCause, boolean>> = {
    gate_opened: old.approval_gate && !step.approval_gate,
    approval_dropped: old.requires_approval && !step.requires_approval,
    requirement_dropped: old.required && !step.required,
    agent_changed: old.agent_id !== undefined && old.agent_id !== step.agent_id,
    // Nothing is minted for a gate of nobody; given to an agent, it mints.
    gate_given: old.approval_gate && old.agent_id === undefined && step.agent_id !== undefined,
    made_repeatable: old.repeatable !== true && step.repeatable === true,
    made_reversible: old.reversible === false && step.reversible !== false,
    dependency_dropped: !old.dependencies.every(id => step.dependencies.includes(id)),
    access_widened: old.access !== undefined && (step.access === undefined || !isWithin(step.access, old.access)),
  }
  return WORKFLOW_CAUSES.filter(cause => judged[cause])
}

/** A new step opens another way for an agent that had steps already, or for every agent. */
function additionLoosenings(previous: readonly WorkflowStep[], step: WorkflowStep): readonly WorkflowCause[] {
  const opens =
    step.agent_id === undefined
      ? !step.approval_gate
      : previous.some(old => old.agent_id === step.agent_id || (old.agent_id === undefined && !old.approval_gate))
  return opens ? ['step_added'] : []
}
