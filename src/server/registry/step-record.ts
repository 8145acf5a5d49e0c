import type { WorkflowStep } from '../../protocol/workflow.ts'
import { stepOrder } from './step-order.ts'

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
  /**
   * Steps before this one that are not in the record. Its gates are not missing, an approval of this step puts them in
   * the record; but what comes before them is.
   */
  readonly missing: (record: Recorded, step_id: string) => readonly string[]
  /** Whether entering `later` leaves `earlier` (protocol.md section 6; ADR 17). */
  readonly leaves: (later: string, earlier: string) => boolean
}

/**
 * The order of a definition. Without dependencies it is the order of the steps; with any it is a graph: required steps
 * come before all that follow them, dependencies before what depends on them, and steps that neither order are parallel.
 */
export function stepGraph(steps: readonly WorkflowStep[]): StepGraph {
  const ids = steps.map(step => step.step_id)
  const position = new Map(ids.map((id, at) => [id, at]))
  const place = (step_id: string) => position.get(step_id) ?? -1
  const isOrdered = steps.every(step => step.dependencies.length === 0)
  const order = stepOrder(steps)
  return {
    steps,
    prerequisites(step_id) {
      const before = order.prerequisites([place(step_id)])
      return new Set(ids.filter((_, at) => before[at] === 1))
    },
    gates(step_id) {
      const gates = order.gates(place(step_id))
      return ids.filter((_, at) => gates[at] === 1)
    },
    missing(record, step_id) {
      const own = order.gates(place(step_id))
      const isMissing = ids.map(id => !record.has(id))
      const gates = [...own.keys()].filter(at => own[at] === 1 && isMissing[at])
      const due = order.prerequisites([place(step_id), ...gates])
      return ids.filter((_, at) => due[at] === 1 && own[at] === 0 && isMissing[at])
    },
    leaves(later, earlier) {
      if (later === earlier) return false
      if (isOrdered) return place(later) > place(earlier)
      return order.reached(place(later))[place(earlier)] === 1
    },
  }
}

/** Whether nothing is minted for the step without an approval (protocol.md section 6). */
export function isProtected({ gates }: StepGraph, record: Recorded, step: WorkflowStep): boolean {
  return step.requires_approval || gates(step.step_id).some(gate => !record.has(gate))
}
