import type { ExecutionView } from '../../protocol/execution.ts'
import type { StepGraph } from './step-record.ts'

type Edge = ExecutionView['edges'][number]

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
