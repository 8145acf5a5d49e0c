import type { ExecutionView } from '../../protocol/execution.ts'
import type { ExecutionRecord, StepGraph } from './step-record.ts'

type Edge = ExecutionView['edges'][number]

/**
 * Whether a step that is not in the record could be entered, or a gate granted, as far as steps before it are concerned:
 * its gates are not missing, an approval puts them in the record, but what comes before them is. The same rule as
 * `judgeStep`, which a property test holds it to.
 */
export function isOpen({ prerequisites, gates }: StepGraph, record: ExecutionRecord, step_id: string): boolean {
  const own = gates(step_id)
  const due = [step_id, ...own.filter(gate => !record.has(gate))].flatMap(id => [...prerequisites(id)])
  return due.every(id => record.has(id) || own.includes(id))
}

/**
 * What a drawing of the steps needs: every dependency, and from required steps to those behind them only what no other
 * way says already.
 */
export function edgesOf({ steps, prerequisites }: StepGraph): Edge[] {
  const position = new Map(steps.map((step, at) => [step.step_id, at]))
  const bit = (id: string) => 1n << BigInt(position.get(id) ?? 0)
  const known = new Map<string, bigint>()
  /** All that comes before a step, as bits: 256 steps may have 32,640 pairs. */
  function allBefore(id: string): bigint {
    const before = known.get(id)
    if (before !== undefined) return before
    // A cycle ends here; nothing in it can be entered, and it is drawn all the same.
    known.set(id, 0n)
    let bits = 0n
    for (const one of prerequisites(id)) bits |= bit(one) | allBefore(one)
    known.set(id, bits)
    return bits
  }
  return steps.flatMap(({ step_id: to, dependencies }) => {
    const before = [...prerequisites(to)]
    const beyond = before.reduce((bits, one) => bits | allBefore(one), 0n)
    const ordered = before.filter(from => !dependencies.includes(from) && (beyond & bit(from)) === 0n)
    return [
      ...dependencies.map((from): Edge => ({ from, to, kind: 'dependency' })),
      ...ordered.map((from): Edge => ({ from, to, kind: 'order' })),
    ]
  })
}
