import type { StepEdge } from './workflow-graph.ts'

/** More take long to lay out, and are not read any better as a drawing. */
const MOST_STEPS = 100
const MOST_EDGES = 120

/** The edges without those that others imply; nothing where steps or edges are too many to draw. */
export function drawnEdges(steps: readonly string[], edges: readonly StepEdge[]): readonly StepEdge[] | undefined {
  if (steps.length > MOST_STEPS) return undefined
  const drawn = withoutImplied(edges)
  return drawn.length > MOST_EDGES ? undefined : drawn
}

/** A dependency is implied by dependencies alone, an order by both. Edges of a circle stay. */
function withoutImplied(edges: readonly StepEdge[]): readonly StepEdge[] {
  const dependencies = edges.filter(({ kind }) => kind === 'dependency')
  const implied = { dependency: impliedBy(dependencies), order: impliedBy(edges) }
  return edges.filter(edge => !implied[edge.kind](edge))
}

/** Whether there is a longer way between the ends of an edge. */
function impliedBy(edges: readonly StepEdge[]): (edge: StepEdge) => boolean {
  const next = Map.groupBy(edges, ({ from }) => from)
  const behind = new Map([...next.keys()].map(id => [id, reached(next, id)]))
  const leads = (from: string, to: string) => behind.get(from)?.has(to) ?? false
  return ({ from, to }) =>
    (next.get(from) ?? []).some(({ to: by }) => by !== to && leads(by, to) && !leads(by, from) && !leads(to, by))
}

function reached(next: ReadonlyMap<string, readonly StepEdge[]>, from: string): ReadonlySet<string> {
  const ids = new Set((next.get(from) ?? []).map(({ to }) => to))
  for (const id of ids) for (const { to } of next.get(id) ?? []) ids.add(to)
  return ids
}
