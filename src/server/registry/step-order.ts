import type { WorkflowStep } from '../../protocol/workflow.ts'

/** Some of the steps: 1 at their places. */
type Marks = Uint8Array

/** The order of a definition by the places of its steps; a place of no step leads to none. */
export type StepOrder = {
  /** Required before any of these, or a dependency of any. */
  readonly prerequisites: (places: readonly number[]) => Marks
  /** Prerequisites of a step, and of those. */
  readonly reached: (place: number) => Marks
  /** The gates of a step, and the gates of those. */
  readonly gates: (place: number) => Marks
}

/** Each answer takes time that grows with steps and dependencies, and is worked out once (attacks.md 78). */
export function stepOrder(steps: readonly WorkflowStep[]): StepOrder {
  const position = new Map(steps.map((step, at) => [step.step_id, at]))
  const required = placesOf(steps, step => step.required)
  const requiredGates = placesOf(steps, step => step.required && step.approval_gate)
  const dependencies = steps.map(step => step.dependencies.flatMap(id => position.get(id) ?? []))
  const gateDependencies = gatesBefore(steps, dependencies, requiredGates)
  return {
    prerequisites(places) {
      const marks = new Uint8Array(steps.length)
      const last = Math.max(-1, ...places)
      for (const at of required) if (at < last) marks[at] = 1
      for (const place of places) for (const at of dependencies[place] ?? []) marks[at] = 1
      return marks
    },
    reached: once(place => closure(place, dependencies, required)),
    gates: once(place => closure(place, gateDependencies, requiredGates)),
  }
}

function placesOf(steps: readonly WorkflowStep[], is: (step: WorkflowStep) => boolean): readonly number[] {
  return steps.flatMap((step, at) => (is(step) ? [at] : []))
}

/** Gates that each step depends on; where it requires approval and no gate guards it, the nearest before. */
function gatesBefore(
  steps: readonly WorkflowStep[],
  dependencies: readonly (readonly number[])[],
  requiredGates: readonly number[],
): readonly (readonly number[])[] {
  const gates = placesOf(steps, step => step.approval_gate)
  const [firstRequired = steps.length] = requiredGates
  return steps.map(({ requires_approval }, at) => {
    const own = (dependencies[at] ?? []).filter(before => steps[before]?.approval_gate)
    if (!requires_approval || own.length > 0 || firstRequired < at) return own
    return gates.filter(gate => gate < at).slice(-1)
  })
}

/** All that a step leads to by `edges`, and what of `barriers`, in order, stands before any of it: each looked at once. */
function closure(from: number, edges: readonly (readonly number[])[], barriers: readonly number[]): Marks {
  const marks = new Uint8Array(edges.length)
  const waiting = [from]
  let passed = 0
  const reach = (place: number) => {
    if (marks[place] === 0) waiting.push(place)
    marks[place] = 1
  }
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const before of edges[at] ?? []) reach(before)
    for (let next = barriers[passed]; next !== undefined && next < at; next = barriers[passed]) {
      reach(next)
      passed += 1
    }
  }
  return marks
}

function once(answer: (place: number) => Marks): (place: number) => Marks {
  const known = new Map<number, Marks>()
  return place => {
    const marks = known.get(place) ?? answer(place)
    known.set(place, marks)
    return marks
  }
}
