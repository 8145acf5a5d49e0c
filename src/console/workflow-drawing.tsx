import { useEffect, useRef, useState } from 'preact/hooks'
import { Scroll } from './scroll.tsx'
import { StepBox, stepSize } from './step-box.tsx'
import { type ChangedStep, edgesOf } from './workflow-graph.ts'
import { drawing, pathThrough } from './workflow-layout.ts'

/** The workflow as a graph. What it says stands in the table below it too. */
export function WorkflowDrawing({ steps, label }: { steps: readonly ChangedStep[]; label: string }) {
  const frame = useRef<HTMLDivElement>(null)
  const room = useWidth(frame)
  const { width, height, boxes, lines } = fitting(steps, room)
  return (
    <div ref={frame}>
      <Scroll kind="graph" label={label}>
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
              <path d="M0 0L8 4L0 8Z" class="arrow" />
            </marker>
          </defs>
          {lines.map(({ edge, points }) => (
            <path
              key={`${edge.from} ${edge.to}`}
              class={`edge ${edge.kind}`}
              d={pathThrough(points)}
              marker-end={edge.kind === 'dependency' ? 'url(#arrow)' : undefined}
            />
          ))}
          {steps.map(changed => {
            const box = boxes.get(changed.step.step_id)
            return box && <StepBox key={changed.step.step_id} changed={changed} box={box} />
          })}
        </svg>
      </Scroll>
    </div>
  )
}

/** From left to right where that fits, else downwards. */
function fitting(steps: readonly ChangedStep[], room: number) {
  const sizes = steps.map(({ step }) => ({ id: step.step_id, ...stepSize(step) }))
  const edges = allEdges(steps)
  const across = drawing(sizes, edges, 'LR')
  return across.width <= room ? across : drawing(sizes, edges, 'TB')
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

function useWidth(frame: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(() => innerWidth)
  useEffect(() => {
    const { current } = frame
    if (!current) return
    const observer = new ResizeObserver(() => setWidth(current.clientWidth))
    observer.observe(current)
    return () => observer.disconnect()
  }, [frame])
  return width
}
