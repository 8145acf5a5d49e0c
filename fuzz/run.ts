import { parseArgs } from 'node:util'
import { keepInput, keptInputs } from './corpus.ts'
import type { Target } from './target.ts'
import { TARGETS } from './targets/index.ts'

// The long form of the fuzzing: kept inputs first, then targets in turn until the time is over. Ends with 1 where a rule
// does not hold, and keeps the input; and where the time did not reach a target.

const SLICE_MILLISECONDS = 2_000

type Score = { runs: number; seconds: number; failed: boolean }

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, target: { type: 'string' }, seed: { type: 'string' } },
})
const targets = TARGETS.filter(({ name }) => values.target === undefined || name === values.target)
const minutes = Number(values.minutes)
if (targets.length === 0 || !(minutes > 0))
  throw new Error('Say --minutes above 0, and --target as one of docs/fuzzing.md.')

let seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
const scores = new Map<Target, Score>(targets.map(target => [target, { runs: 0, seconds: 0, failed: false }]))
console.log(`${targets.length} targets, ${minutes} minutes, first seed ${seed}`)
for (const [target, score] of scores) score.failed = !(await replay(target))
for (const end = performance.now() + minutes * 60_000; performance.now() < end && open().length > 0; ) {
  for (const [target, score] of open()) {
    const left = end - performance.now()
    if (left > 0) await slice(target, score, Math.min(left, SLICE_MILLISECONDS))
  }
}
for (const [{ name, rule }, { runs, seconds, failed }] of scores) {
  const speed = (runs / Math.max(seconds, 0.001)).toFixed(0).padStart(7)
  console.log(
    `${failed ? 'FAILED ' : runs > 0 ? 'ok     ' : 'NOT RUN'} ${name.padEnd(20)}${String(runs).padStart(9)} runs${speed}/s  ${rule}`,
  )
}
// What the time did not reach has not held.
if ([...scores.values()].some(({ failed, runs }) => failed || runs === 0)) process.exitCode = 1

function open(): readonly [Target, Score][] {
  return [...scores].filter(([, { failed }]) => !failed)
}

async function slice(target: Target, score: Score, milliseconds: number): Promise<void> {
  const began = performance.now()
  const { runs, counterexample } = await target.run({ seed, milliseconds })
  seed = (seed + 1) % 2 ** 31
  score.runs += runs
  score.seconds += (performance.now() - began) / 1000
  if (!counterexample) return
  score.failed = true
  const why = `found with seed ${counterexample.seed}: ${firstLine(counterexample.error)}`
  const file = await keepInput(target.name, why, counterexample.input)
  console.log(`\n${target.name}: ${target.rule}\n${why}\n${JSON.stringify(counterexample.input)}\nkept in ${file}\n`)
}

/** Whether every kept input holds. */
async function replay(target: Target): Promise<boolean> {
  let holds = true
  for (const { file, input } of await keptInputs(target.name)) {
    await target.replay(input).catch(error => {
      holds = false
      console.log(`${file}: ${firstLine(error)}`)
    })
  }
  return holds
}

function firstLine(error: unknown): string {
  return String(error).split('\n', 3).join(' ').slice(0, 300)
}
