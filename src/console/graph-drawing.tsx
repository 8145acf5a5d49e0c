import type { ComponentChildren } from 'preact'
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks'
import { drawnEdges } from './drawn-edges.ts'
import { Scroll } from './scroll.tsx'
import type { StepEdge } from './workflow-graph.ts'
import { type Box, drawing, pathThrough } from './workflow-layout.ts'

type Sized = { readonly id: string; readonly width: number; readonly height: number }
type Graph = {
  readonly label: string
  readonly nodes: readonly Sized[]
  readonly edges: readonly StepEdge[]
  /** Draws one of the nodes. */
  readonly children: (id: string, box: Box) => ComponentChildren
}

/** A graph, where it is small enough to be drawn (drawn-edges.ts). What it says stands in a table near it too. */
export function GraphDrawing(graph: Graph) {
  const { nodes, edges } = graph
  const shape = JSON.stringify([nodes.map(({ id }) => id), edges])
  const drawn = useMemo(
    () =>
      drawnEdges(
        nodes.map(({ id }) => id),
        edges,
      ),
    [shape],
  )
  if (drawn) return <Drawn {...graph} edges={drawn} />
  return (
    <p class="quiet">
      {nodes.length} boxes with {edges.length} lines between them are too many to draw; the table has them all.
    </p>
  )
}

/** Laid out anew only when its shape or its room changes. */
function Drawn({ label, nodes, edges, children }: Graph) {
  const frame = useRef<HTMLDivElement>(null)
  const arrow = useId()
  const room = useWidth(frame)
  const shape = JSON.stringify([nodes, edges])
  const { width, height, boxes, lines } = useMemo(() => fitting(nodes, edges, room), [shape, room])
  return (
    <div ref={frame}>
      <Scroll kind="graph" label={label}>
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
          <defs>
            <marker id={arrow} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
              <path d="M0 0L8 4L0 8Z" class="arrow" />
            </marker>
          </defs>
          {lines.map(({ edge, points }) => (
            <path
              key={`${edge.from} ${edge.to}`}
              class={`edge ${edge.kind}`}
              d={pathThrough(points)}
              marker-end={edge.kind === 'dependency' ? `url(#${arrow})` : undefined}
            />
          ))}
          {nodes.map(({ id }) => {
            const box = boxes.get(id)
            return box && children(id, box)
          })}
        </svg>
      </Scroll>
    </div>
  )
}

/** From left to right where that fits, else downwards. */
function fitting(nodes: readonly Sized[], edges: readonly StepEdge[], room: number) {
  const across = drawing(nodes, edges, 'LR')
  return across.width <= room ? across : drawing(nodes, edges, 'TB')
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
