import { type Access, isWithin } from '../../protocol/access.ts'
import { type Compared, OAuthError } from '../../protocol/errors.ts'
import { MAX_DEPENDENCIES, MAX_STEPS, type WorkflowStep } from '../../protocol/workflow.ts'
import { comparedAccess } from './ceiling.ts'
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
  for (const [at, { agent_id, dependencies, requires_approval, approval_gate, access }] of steps.entries()) {
    if (agent_id !== undefined && !knownAgents.has(agent_id)) {
      throw refusal('A step is assigned to an agent that the client does not have; register it first.', 'unknown_agent')
    }
    if (recorded && agent_id === undefined && !approval_gate) {
      throw refusal(
        'A step that is no gate needs an agent_id where the server records executions.',
        'step_without_agent',
        { step_number: at + 1 },
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
        { step_number: at + 1, ...comparedAccess(access, clientAccess) },
      )
    }
    gate ||= approval_gate
  }
  const { prerequisites, missing } = stepGraph(steps)
  if (hasCycle(steps, prerequisites)) throw refusal('The dependencies form a cycle.', 'dependency_cycle')
  // A gate that is not in the record yet brings what comes before it.
  const nothing = new Map()
  if (recorded && hasCycle(steps, step_id => missing(nothing, step_id))) {
    throw refusal('A step could never be entered: its gate waits for it.', 'gate_waits_for_step')
  }
}

/** What waits for itself could never be entered: each step is freed once all that it waits for is (A. B. Kahn, 1962). */
function hasCycle(steps: readonly WorkflowStep[], waitsFor: (step_id: string) => Iterable<string>): boolean {
  const left = new Map(steps.map(({ step_id }) => [step_id, new Set(waitsFor(step_id))]))
  const followers = new Map<string, string[]>(steps.map(({ step_id }) => [step_id, []]))
  for (const [step_id, before] of left) for (const id of before) followers.get(id)?.push(step_id)
  const free = steps.flatMap(({ step_id }) => (left.get(step_id)?.size === 0 ? [step_id] : []))
  for (const id of free) {
    for (const follower of followers.get(id) ?? []) {
      const before = left.get(follower)
      if (before?.delete(id) && before.size === 0) free.push(follower)
    }
  }
  return free.length < steps.length
}

function refusal(description: string, reason: string, compared?: Compared): OAuthError {
  return new OAuthError('invalid_request', description, { reason, ...(compared && { compared }) })
}
