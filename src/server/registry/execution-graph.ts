import type { ExecutionView } from '../../protocol/execution.ts'
import type { StepGraph } from './step-record.ts'

type Edge = ExecutionView['edges'][number]

/**
 * What a drawing of the steps needs: every dependency, and from required steps to those behind them only what no other
 * way says already. Each required step comes before the next one, so that the nearest says all.
 */
export function edgesOf({ steps, leaves }: StepGraph): Edge[] {
  return steps.flatMap(({ step_id: to, dependencies }, at) => {
    const nearest = steps.slice(0, at).findLast(step => step.required)?.step_id
    const edges = dependencies.map((from): Edge => ({ from, to, kind: 'dependency' }))
    if (nearest === undefined || dependencies.some(id => id === nearest || leaves(id, nearest))) return edges
    return [...edges, { from: nearest, to, kind: 'order' }]
  })
}
