import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawnEdges } from '../../src/console/drawn-edges.ts'
import type { StepEdge } from '../../src/console/workflow-graph.ts'
import { drawing } from '../../src/console/workflow-layout.ts'

function edgesOf(...pairs: readonly string[]): StepEdge[] {
  return pairs.map(pair => {
    const [from = '', to = ''] = pair.split(/[>~]/)
    return { from, to, kind: pair.includes('>') ? 'dependency' : 'order' }
  })
}

function kept(...pairs: readonly string[]): readonly string[] | undefined {
  const drawn = drawnEdges([...'abcd'], edgesOf(...pairs))
  return drawn?.map(({ from, to, kind }) => `${from}${kind === 'order' ? '~' : '>'}${to}`)
}

test('an edge that others imply is not drawn; a dependency is implied by dependencies alone', () => {
  assert.deepEqual(kept('a>b', 'b>c', 'a>c', 'a>d', 'c>d'), ['a>b', 'b>c', 'c>d'])
  assert.deepEqual(kept('a>b', 'b>c', 'a~c'), ['a>b', 'b>c'])
  assert.deepEqual(kept('a~b', 'b>c', 'a>c'), ['a~b', 'b>c', 'a>c'])
  assert.deepEqual(kept('a>b', 'a>c', 'b>d', 'c>d'), ['a>b', 'a>c', 'b>d', 'c>d'])
})

test('edges that go in a circle, and those into it and out of it, are drawn', () => {
  const round = ['a>b', 'b>a', 'a>c', 'b>c', 'd>a', 'd>b']
  assert.deepEqual(kept(...round), round)
})

/** Steps that each depend on `each` steps before them, spread over all that there are. */
function spread(steps: number, each: number): { ids: readonly string[]; edges: readonly StepEdge[] } {
  const ids = Array.from({ length: steps }, (_, at) => `s${at}`)
  const edges = ids.flatMap((to, at) => {
    const before = Array.from({ length: Math.min(each, at) }, (_, nth) => Math.floor((at * (nth * 7 + 3)) / (each * 7)))
    return [...new Set(before)].flatMap((from): StepEdge[] =>
      from < at ? [{ from: ids[from] ?? '', to, kind: 'dependency' }] : [],
    )
  })
  return { ids, edges }
}

/** The first steps apart, each of the others behind `each` of them: no edge implies another. */
function apart(first: number, then: number, each: number): { ids: readonly string[]; edges: readonly StepEdge[] } {
  const ids = Array.from({ length: first + then }, (_, at) => `s${at}`)
  const edges = ids.slice(first).flatMap((to, at) =>
    Array.from({ length: each }, (_, nth): StepEdge => {
      return { from: ids[(at * 3 + nth * 11) % first] ?? '', to, kind: 'dependency' }
    }),
  )
  return { ids, edges }
}

const WORST = [
  ...[spread(64, 20), spread(256, 4), spread(100, 10), spread(100, 2), spread(60, 3)],
  ...[apart(50, 50, 20), apart(50, 40, 3), apart(30, 60, 2), apart(60, 40, 3)],
]

test('no workflow that can be registered holds up the page that draws it', () => {
  let drawn = 0
  for (const { ids, edges } of WORST) {
    const steps = ids.map(id => ({ id, width: 180, height: 60 }))
    const times = [1, 2].map(() => {
      const began = performance.now()
      const some = drawnEdges(ids, edges)
      if (some) drawn += drawing(steps, some, 'LR').lines.length
      return performance.now() - began
    })
    assert.ok(Math.min(...times) < 1_000, `${ids.length} steps, ${edges.length} edges: ${Math.min(...times)} ms`)
  }
  assert.ok(drawn > 200, 'some of them are drawn')
})

test('more than 100 steps, or 120 edges that say something, are left to the table', () => {
  const line = (steps: number) => spread(steps, 1)
  assert.equal(drawnEdges(line(100).ids, line(100).edges)?.length, 99)
  assert.equal(drawnEdges(line(101).ids, line(101).edges), undefined)
  const { ids, edges } = apart(50, 41, 3)
  assert.equal(drawnEdges(ids, edges.slice(0, 120))?.length, 120)
  assert.equal(drawnEdges(ids, edges), undefined)
})
