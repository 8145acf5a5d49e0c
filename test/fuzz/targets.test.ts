import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptInputs } from '../../fuzz/corpus.ts'
import { TARGETS } from '../../fuzz/targets/index.ts'

const SEED = Math.floor(Math.random() * 2 ** 31)

for (const { name, rule, shortRuns, replay, run } of TARGETS) {
  test(`fuzzed ${name}: ${rule}`, async () => {
    const kept = await keptInputs(name)
    assert.ok(kept.length > 0, 'a target has kept inputs')
    for (const { input, file, why } of kept) {
      await assert.doesNotReject(replay(input), `${file}, ${why}`)
    }
    const { runs, counterexample } = await run({ seed: SEED, runs: shortRuns })
    const told = `seed ${SEED}: ${JSON.stringify(counterexample?.input)}: ${counterexample?.error}`
    assert.deepEqual([runs, counterexample], [shortRuns, undefined], told)
  })
}
