import { GraphDrawing } from './graph-drawing.tsx'
import { StepBox, stepSize } from './step-box.tsx'
import { type ChangedStep, edgesOf } from './workflow-graph.ts'

/** The workflow as a graph. What it says stands in the table below it too. */
export function WorkflowDrawing({ steps, label }: { steps: readonly ChangedStep[]; label: string }) {
  const byId = new Map(steps.map(changed => [changed.step.step_id, changed]))
  const nodes = steps.map(({ step }) => ({ id: step.step_id, ...stepSize(step) }))
  return (
    <GraphDrawing label={label} nodes={nodes} edges={allEdges(steps)}>
      {(id, box) => {
        const changed = byId.get(id)
        return changed && <StepBox key={id} changed={changed} box={box} />
      }}
    </GraphDrawing>
  )
}

/** Those of the version, and faintly those by which its removed steps hung on others. */
function allEdges(steps: readonly ChangedStep[]) {
  const ids = new Set(steps.map(({ step }) => step.step_id))
  const kept = steps.filter(({ change }) => change !== 'removed').map(({ step }) => step)
  const gone = steps.filter(({ change }) => change === 'removed').map(({ step }) => step)
  const ofGone = gone.flatMap(({ step_id: to, dependencies }) =>
    dependencies.filter(from => ids.has(from)).map(from => ({ from, to, kind: 'order' as const })),
  )
  return [...edgesOf(kept), ...ofGone]
}
