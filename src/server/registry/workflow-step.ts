import type { Access } from '../../protocol/access.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'

const MAX_HOPS = 5

/** A mint for one step on the caller's word: what it says is done, checked against the definition. */
export type AssertedStep = {
  readonly steps: readonly WorkflowStep[]
  readonly workflow_step: string
  readonly agent_id: string
  /** By an assertion of the step's agent, whose token is of the same step. */
  readonly lent?: boolean
  readonly completed_steps: readonly string[]
}

/**
 * The rules for a step in asserted mode (protocol.md section 6; draft-goswami-agentic-jwt-00 section 4.3.3): the step
 * is this agent's or nobody's, and no gate of nobody's: that is an approval, not work; `completed_steps` names known
 * steps once, none that only this one makes possible; done are the required steps before it, its dependencies, and for
 * `requires_approval` every gate before it.
 * Throws `workflow_step_unauthorized`. @returns the step's ceiling, where it has one
 */
export function checkAssertedStep({ steps, workflow_step, agent_id, lent, completed_steps }: AssertedStep): {
  access?: Access
} {
  const position = steps.findIndex(step => step.step_id === workflow_step)
  const current = steps[position]
  if (!current) throw refusal('The workflow has no step of this id.', 'unknown_step')
  if (current.agent_id !== undefined && current.agent_id !== agent_id && !lent) {
    throw refusal('The step is assigned to another agent.', 'step_of_other_agent')
  }
  if (current.agent_id === undefined && current.approval_gate) {
    throw refusal('The step is an approval gate of no agent; nothing is minted for it.', 'step_is_gate')
  }
  checkCompleted(steps, workflow_step, completed_steps)
  const done = new Set(completed_steps)
  const before = steps.slice(0, position)
  const due = new Set([
    ...before.filter(step => step.required).map(step => step.step_id),
    ...current.dependencies,
    ...before.filter(step => current.requires_approval && step.approval_gate).map(step => step.step_id),
  ])
  const missing_steps = steps.map(step => step.step_id).filter(id => due.has(id) && !done.has(id))
  if (missing_steps.length > 0) {
    const gate = before.some(step => step.approval_gate && missing_steps.includes(step.step_id))
    throw new OAuthError('workflow_step_unauthorized', 'Steps that must come before this one are missing.', {
      reason: gate ? 'missing_gate' : 'missing_steps',
      missing_steps,
    })
  }
  return current.access ? { access: current.access } : {}
}

/** What a caller says is done must be possible: known, once, not this step and nothing that waits for it. */
function checkCompleted(
  steps: readonly WorkflowStep[],
  workflow_step: string,
  completed_steps: readonly string[],
): void {
  const known = new Set(steps.map(step => step.step_id))
  if (!completed_steps.every(id => known.has(id))) {
    throw refusal('A completed step is not a step of the workflow.', 'unknown_completed_step')
  }
  if (new Set(completed_steps).size !== completed_steps.length) {
    throw refusal('A completed step is named twice.', 'repeated_completed_step')
  }
  if (completed_steps.includes(workflow_step)) {
    throw refusal('The current step cannot be among the completed steps.', 'current_step_completed')
  }
  const later = waitingFor(steps, workflow_step)
  if (completed_steps.some(id => later.has(id))) {
    throw refusal('A step that comes after the current one cannot be completed.', 'future_step_completed')
  }
}

/** Steps that cannot be done before this one: those after it where it is required, and all that depend on it. */
function waitingFor(steps: readonly WorkflowStep[], step_id: string): ReadonlySet<string> {
  const position = steps.findIndex(step => step.step_id === step_id)
  const waiting = new Set([step_id])
  if (steps[position]?.required) for (const step of steps.slice(position + 1)) waiting.add(step.step_id)
  for (let size = 0; size !== waiting.size; ) {
    size = waiting.size
    for (const step of steps) if (step.dependencies.some(id => waiting.has(id))) waiting.add(step.step_id)
  }
  return waiting
}

/**
 * A delegation chain on the caller's word (protocol.md section 6): the agent is its last element, appended where it is
 * not; every element is an agent of the client and occurs once; at most 5 hops. Throws `delegation_unauthorized`.
 */
export function checkAssertedChain(
  chain: readonly string[],
  agent_id: string,
  knownAgents: ReadonlySet<string>,
): string[] {
  const whole = chain.at(-1) === agent_id ? [...chain] : [...chain, agent_id]
  if (whole.length > MAX_HOPS + 1) throw chainRefusal('The delegation chain is longer than 5 hops.', 'chain_too_long')
  if (new Set(whole).size !== whole.length)
    throw chainRefusal('The delegation chain names an agent twice.', 'chain_loop')
  if (!whole.every(id => id === agent_id || knownAgents.has(id))) {
    throw chainRefusal('The delegation chain names an agent that the client does not have.', 'chain_unknown_agent')
  }
  return whole
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('workflow_step_unauthorized', description, { reason })
}

function chainRefusal(description: string, reason: string): OAuthError {
  return new OAuthError('delegation_unauthorized', description, { reason })
}
