import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { judgeBoth } from './both-judges.ts'
import { commands } from './commands.ts'
import { RULES } from './reference-model.ts'
import { runs } from './runs.ts'
import { percent, workflows } from './workflows.ts'

/** Runs of each piece in CI: 20,000 in all. */
const RUNS = 5_000

const PIECES = [
  { name: 'ordered steps', shape: { least: 1, most: 6, gates: 15, required: 50, dependencies: 0 } },
  { name: 'graphs', shape: { least: 1, most: 7, gates: 10, required: 15, dependencies: 35 } },
  { name: 'gates in a row', shape: { least: 1, most: 5, gates: 40, required: 50, dependencies: 0 } },
  { name: 'graphs of gates', shape: { least: 1, most: 6, gates: 35, required: 20, dependencies: 30 } },
]

const seen = new Map<string, number>()

for (const { name, shape } of PIECES) {
  test(`[attack 71] the server's rules for steps are those of the model: ${name} (protocol.md section 6)`, () => {
    const given = fc.record({
      steps: workflows(shape),
      max_tokens: fc.integer({ min: 1, max: 4 }),
      max_nodes: fc.constantFrom(5, 30, 256),
      opened_ahead: percent(70),
    })
    fc.assert(
      fc.property(given, commands(30), (one, sequence) => judgeBoth(one, sequence, count)),
      { numRuns: runs(RUNS) },
    )
  })
}

test('the runs above saw every rule broken, and entries, renewals and approvals (the figures of this file)', t => {
  t.diagnostic(JSON.stringify(Object.fromEntries([...seen].sort())))
  const lacks = ['missing', 'digest_alone', 'denied']
  const refused = RULES.filter(rule => !['approval', 'arguments', 'denied'].includes(rule))
  for (const outcome of ['entered', 'renewed', 'entered approved', 'renewed approved', 'again', ...lacks, ...refused]) {
    assert.ok((seen.get(outcome) ?? 0) >= 100, `${outcome}: ${seen.get(outcome) ?? 0}`)
  }
})

function count(outcome: string): void {
  seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
}
