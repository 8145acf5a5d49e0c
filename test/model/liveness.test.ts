import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WorkflowStep } from '../../src/protocol/workflow.ts'
import { gatesOf, judge, newWorld, type World } from './reference-model.ts'
import { runs } from './runs.ts'
import { definitions, reasonAgainst } from './workflows.ts'

/** Runs of each piece in CI. */
const RUNS = 2_000

const PIECES = [
  { name: 'graphs of gates', shape: { least: 1, most: 6, gates: 35, required: 20, dependencies: 40 } },
  { name: 'gates in a row', shape: { least: 1, most: 5, gates: 45, required: 30, dependencies: 25 } },
]

const seen = { kept: 0, refused: 0 }

for (const { name, shape } of PIECES) {
  test(`[attack 78] a definition is refused for its gates exactly where a step could never be entered, all being approved: ${name} (protocol.md sections 5 and 6)`, () => {
    fc.assert(
      fc.property(definitions(shape), steps => {
        const reason = reasonAgainst(steps)
        if (reason !== undefined && reason !== 'gate_waits_for_step') return
        seen[reason === undefined ? 'kept' : 'refused'] += 1
        const reached = reachable(steps)
        const lost = steps.filter(step => !step.approval_gate && !reached.includes(step.step_id))
        assert.equal(lost.length > 0, reason !== undefined)
      }),
      { numRuns: runs(RUNS) },
    )
  })
}

test('the runs above saw definitions of both kinds (the figures of this file)', t => {
  t.diagnostic(JSON.stringify(seen))
  assert.ok(seen.kept >= 100 && seen.refused >= 20)
})

/** The steps that somebody can enter if every approval is granted, and the gates that this opens. */
function reachable(steps: readonly WorkflowStep[]): readonly string[] {
  let world = newWorld(steps, 1, 1_000)
  for (;;) {
    const before = world
    const next = steps.find(step => !(step.step_id in before.marks) && canComeNext(before, step))
    if (!next) return Object.keys(world.marks)
    const marks = [next.step_id, ...gatesOf(steps, next.step_id)].map(
      id => [id, { state: 'left', entries: 1, tokens: 1 }] as const,
    )
    world = { ...world, marks: { ...world.marks, ...Object.fromEntries(marks) } }
  }
}

/** Whether a mint of its agent would lack nothing but an approval. */
function canComeNext(world: World, { step_id, agent_id, approval_gate }: WorkflowStep): boolean {
  if (approval_gate || agent_id === undefined) return false
  const mint = { step: step_id, agent: agent_id, within: false, opens: false, completed: [], digest: null, whole: true }
  return [...judge(world, mint).broken].every(rule => rule === 'approval')
}
