import { Graph, layout } from '@dagrejs/dagre'
import type { StepEdge } from './workflow-graph.ts'

export type Point = { readonly x: number; readonly y: number }
export type Box = Point & { readonly width: number; readonly height: number }
export type Drawing = {
  readonly width: number
  readonly height: number
  readonly boxes: ReadonlyMap<string, Box>
  readonly lines: readonly { readonly edge: StepEdge; readonly points: readonly Point[] }[]
}

/** Where each step stands and each edge runs, in pixels; a box's point is its middle. */
export function drawing(
  steps: readonly { readonly id: string; readonly width: number; readonly height: number }[],
  edges: readonly StepEdge[],
  direction: 'LR' | 'TB',
): Drawing {
  const graph = new Graph<{ width?: number; height?: number }, Box, { points: Point[] }>()
  graph.setGraph({ rankdir: direction, nodesep: 28, ranksep: 52, marginx: 16, marginy: 16 })
  for (const { id, width, height } of steps) graph.setNode(id, { width, height, x: 0, y: 0 })
  for (const { from, to } of edges) graph.setEdge(from, to, { points: [] })
  layout(graph)
  const { width = 0, height = 0 } = graph.graph() ?? {}
  return {
    width,
    height,
    boxes: new Map(steps.map(({ id }) => [id, graph.node(id)])),
    lines: edges.map(edge => ({ edge, points: graph.edge(edge.from, edge.to).points })),
  }
}

/** A line through the points of an edge, its corners rounded. */
export function pathThrough(points: readonly Point[]): string {
  const [first, ...rest] = points
  const last = rest.at(-1)
  if (!first || !last) return ''
  const bends = rest.slice(0, -1).map((point, index) => {
    const next = rest[index + 1] ?? last
    const end = index === rest.length - 2 ? last : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 }
    return `Q${point.x} ${point.y} ${end.x} ${end.y}`
  })
  return `M${first.x} ${first.y}${bends.length === 0 ? `L${last.x} ${last.y}` : bends.join('')}`
}
