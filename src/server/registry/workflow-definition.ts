import { type Access, isWithin } from '../../protocol/access.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { MAX_DEPENDENCIES, MAX_STEPS, type WorkflowStep } from '../../protocol/workflow.ts'
import { stepGraph } from './step-record.ts'

/**
 * Whether a definition can be kept (protocol.md section 5): ids once, agents and dependencies known, no cycle, a gate
 * before each step that requires approval, access within the client's, at most 256 steps and 1,024 dependencies, in recorded
 * mode an agent for each step that is no gate. Throws `invalid_request`.
 */
export function validateDefinition(
  steps: readonly WorkflowStep[],
  knownAgents: ReadonlySet<string>,
  { access: clientAccess, recorded }: { readonly access: Access; readonly recorded: boolean },
): void {
  if (steps.length === 0 || steps.length > MAX_STEPS)
    throw refusal(`A workflow has 1 to ${MAX_STEPS} steps.`, 'step_count')
  if (steps.reduce((sum, { dependencies }) => sum + dependencies.length, 0) > MAX_DEPENDENCIES) {
    throw refusal(`The steps have more than ${MAX_DEPENDENCIES} dependencies together.`, 'too_many_dependencies')
  }
  const ids = new Set(steps.map(step => step.step_id))
  if (ids.size !== steps.length) throw refusal('Two steps have one step_id.', 'duplicate_step')
  let gate = false
  for (const { agent_id, dependencies, requires_approval, approval_gate, access } of steps) {
    if (agent_id !== undefined && !knownAgents.has(agent_id)) {
      throw refusal('A step is assigned to an agent that the client does not have; register it first.', 'unknown_agent')
    }
    if (recorded && agent_id === undefined && !approval_gate) {
      throw refusal(
        'A step that is no gate needs an agent_id where the server records executions.',
        'step_without_agent',
      )
    }
    if (new Set(dependencies).size !== dependencies.length) {
      throw refusal('A step names a dependency twice.', 'duplicate_dependency')
    }
    if (!dependencies.every(id => ids.has(id))) {
      throw refusal('A dependency is not a step of the workflow.', 'unknown_dependency')
    }
    if (requires_approval && !gate) {
      throw refusal(
        'A step that requires approval needs a step with approval_gate: true (and no agent_id) before it.',
        'missing_gate',
      )
    }
    if (access && !isWithin(access, clientAccess)) {
      throw refusal(
        "A step's access must lie within the client's own access to registered resources.",
        'access_above_client',
      )
    }
    gate ||= approval_gate
  }
  if (hasCycle(steps)) throw refusal('The dependencies form a cycle.', 'dependency_cycle')
}

/**
 * Whether a new definition removes or loosens a gate, an assignment or an access of the old one (protocol.md section
 * 5). In doubt it does: a step taken away, moved, handed to another agent, or added where its agent had less.
 */
export function loosens(previous: readonly WorkflowStep[], next: readonly WorkflowStep[]): boolean {
  const before = new Map(previous.map(step => [step.step_id, step]))
  const kept = next.filter(step => before.has(step.step_id)).map(step => step.step_id)
  if (previous.some((step, index) => step.step_id !== kept[index])) return true
  if (losesGates(previous, next)) return true
  // With its first dependency an order becomes a graph, in which fewer steps are left behind (ADR 17).
  if (!hasDependencies(previous) && hasDependencies(next)) return true
  return next.some(step => {
    const old = before.get(step.step_id)
    return old ? stepLoosens(old, step) : additionLoosens(previous, step)
  })
}

/** A step that waited for a gate, and for what that waits for, waits for another one or for none. */
function losesGates(previous: readonly WorkflowStep[], next: readonly WorkflowStep[]): boolean {
  const [before, after] = [stepGraph(previous), stepGraph(next)]
  return previous.some(({ step_id }) => {
    const gates = after.gates(step_id)
    return before.gates(step_id).some(gate => !gates.includes(gate))
  })
}

function hasDependencies(steps: readonly WorkflowStep[]): boolean {
  return steps.some(step => step.dependencies.length > 0)
}

function stepLoosens(old: WorkflowStep, step: WorkflowStep): boolean {
  return (
    (old.approval_gate && !step.approval_gate) ||
    (old.requires_approval && !step.requires_approval) ||
    (old.required && !step.required) ||
    (old.agent_id !== undefined && old.agent_id !== step.agent_id) ||
    // Nothing is minted for a gate of nobody; given to an agent, it mints.
    (old.approval_gate && old.agent_id === undefined && step.agent_id !== undefined) ||
    (old.repeatable !== true && step.repeatable === true) ||
    (old.reversible === false && step.reversible !== false) ||
    !old.dependencies.every(id => step.dependencies.includes(id)) ||
    (old.access !== undefined && (step.access === undefined || !isWithin(step.access, old.access)))
  )
}

/** A new step opens another way for an agent that had steps already, or for every agent. */
function additionLoosens(previous: readonly WorkflowStep[], step: WorkflowStep): boolean {
  if (step.agent_id === undefined) return !step.approval_gate
  return previous.some(old => old.agent_id === step.agent_id || (old.agent_id === undefined && !old.approval_gate))
}

/** Over dependencies and required steps before: what waits for itself could never be entered. */
function hasCycle(steps: readonly WorkflowStep[]): boolean {
  const { prerequisites } = stepGraph(steps)
  let waiting = steps
  for (;;) {
    const open = new Set(waiting.map(step => step.step_id))
    const blocked = waiting.filter(step => [...prerequisites(step.step_id)].some(id => open.has(id)))
    if (blocked.length === 0) return false
    if (blocked.length === waiting.length) return true
    waiting = blocked
  }
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
