import type { WorkflowStep } from '../../protocol/workflow.ts'

/** What the server knows of one step of an execution; absent: never entered, and no gate that was granted. */
export type StepRecord = {
  readonly state: 'entered' | 'left' | 'granted'
  /** How often it was entered. */
  readonly entries: number
  /** Minted since it was last entered. */
  readonly tokens: number
}

export type ExecutionRecord = ReadonlyMap<string, StepRecord>
type Recorded = Pick<ExecutionRecord, 'has'>

/** Steps by id, with what their order means. */
export type StepGraph = {
  readonly steps: readonly WorkflowStep[]
  /** Required before a step, or its dependencies: what must be in the record before it is entered. */
  readonly prerequisites: (step_id: string) => ReadonlySet<string>
  /** Gates whose place in the record an approval of this step takes. */
  readonly gates: (step_id: string) => readonly string[]
  /** Whether entering `later` leaves `earlier` (protocol.md section 6; ADR 17). */
  readonly leaves: (later: string, earlier: string) => boolean
}

/**
 * The order of a definition. Without dependencies it is the order of the steps; with any it is a graph: required steps
 * come before all that follow them, dependencies before what depends on them, and steps that neither order are parallel.
 */
export function stepGraph(steps: readonly WorkflowStep[]): StepGraph {
  const position = new Map(steps.map((step, index) => [step.step_id, index]))
  const isOrdered = steps.every(step => step.dependencies.length === 0)
  const direct = new Map(steps.map((step, index) => [step.step_id, prerequisitesOf(steps, step, index)]))
  const prerequisites = (step_id: string) => direct.get(step_id) ?? new Set<string>()
  return {
    steps,
    prerequisites,
    gates: step_id => gatesOf(steps, position.get(step_id) ?? -1),
    leaves(later, earlier) {
      if (later === earlier) return false
      if (isOrdered) return (position.get(later) ?? -1) > (position.get(earlier) ?? -1)
      return reaches(prerequisites, later, earlier)
    },
  }
}

/**
 * Steps before this one that are not in the record. Its gates are not missing, an approval of this step puts them in the
 * record; but what comes before them is.
 */
export function missingBefore(
  { steps, prerequisites, gates }: StepGraph,
  record: Recorded,
  step_id: string,
): readonly string[] {
  const own = gates(step_id)
  const due = [step_id, ...own.filter(gate => !record.has(gate))].map(prerequisites)
  const ids = steps.map(step => step.step_id).filter(id => !record.has(id) && !own.includes(id))
  return ids.filter(id => due.some(before => before.has(id)))
}

/** Whether nothing is minted for the step without an approval (protocol.md section 6). */
export function isProtected({ gates }: StepGraph, record: Recorded, step: WorkflowStep): boolean {
  return step.requires_approval || gates(step.step_id).some(gate => !record.has(gate))
}

function prerequisitesOf(steps: readonly WorkflowStep[], step: WorkflowStep, index: number): ReadonlySet<string> {
  const required = steps.slice(0, index).filter(before => before.required)
  return new Set([...required.map(before => before.step_id), ...step.dependencies])
}

/** The gates of a step, and the gates of those. */
function gatesOf(steps: readonly WorkflowStep[], index: number): readonly string[] {
  const gates = new Set(nextGates(steps, index))
  for (const gate of gates) {
    for (const further of nextGates(
      steps,
      steps.findIndex(step => step.step_id === gate),
    )) {
      gates.add(further)
    }
  }
  return steps.map(step => step.step_id).filter(id => gates.has(id))
}

/** Required gates before a step and gates it depends on; where it requires approval and has none, the nearest before. */
function nextGates(steps: readonly WorkflowStep[], index: number): readonly string[] {
  const step = steps[index]
  if (!step) return []
  const before = steps.slice(0, index).filter(candidate => candidate.approval_gate)
  const guarding = steps.filter(
    candidate =>
      candidate.approval_gate &&
      ((candidate.required && before.includes(candidate)) || step.dependencies.includes(candidate.step_id)),
  )
  const nearest = before.at(-1)
  if (guarding.length === 0 && step.requires_approval && nearest) return [nearest.step_id]
  return guarding.map(gate => gate.step_id)
}

function reaches(prerequisites: StepGraph['prerequisites'], from: string, to: string): boolean {
  const seen = new Set([from])
  const waiting = [from]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const before of prerequisites(id)) {
      if (before === to) return true
      if (!seen.has(before)) waiting.push(before)
      seen.add(before)
    }
  }
  return false
}
