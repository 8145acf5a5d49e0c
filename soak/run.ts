import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { registerEstate } from '../bench/estate.ts'
import { generateBenchKey } from '../bench/load/signer.ts'
import { startRemitPeer } from '../bench/peers/remit.ts'
import { quantile } from '../bench/rounds.ts'
import { kindsOf } from '../bench/workloads.ts'
import { setStage } from '../demo/stage.ts'
import { SIDE_ACTS, sideActs } from './acts.ts'
import { MB, slopeText } from './bounds.ts'
import { capacityOf, mixOf, runRound, type Stretch } from './load.ts'
import { soakPage } from './page.ts'
import { type Course, type Result, resultOf } from './result.ts'
import { type Sample, sample, sampleTables, type TableSample } from './sample.ts'

// A real server and a real Postgres at half of what they can do, for as long as one likes: what grows, and how fast.

const SAMPLE_MILLISECONDS = 5_000
/** Capacity, start and end beside the minutes that were asked for. */
const ALLOWANCE_MS = 10 * 60_000
const REPORT = 'soak-report.html'
/** Of the run, at most this much: a heap takes its time to find its size. */
const [WARM_UP_PART, WARM_UP_MOST] = [0.25, 600]

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, json: { type: 'boolean', default: false } },
})
const minutes = Number(values.minutes)
if (!(minutes >= 1)) throw new Error('Say --minutes, at least 1.')
const report = (line: string) => console.error(line)

let result: Result | undefined
const isDone = await setStage(
  async ({ dir, defer }) => {
    const remit = await startRemitPeer('remit', dir, defer, { REMIT_WORKERS: '1' })
    const estate = await registerEstate(remit, generateBenchKey(), 'https://verifying.bench.example')
    const kinds = kindsOf({ remit, bare: remit, oidc: remit, api: remit }, estate)
    const mix = mixOf(kinds)
    const capacity = await capacityOf(mix, report)
    report(`the mix: ${capacity.toFixed(0)} a second; half of it for ${minutes} minutes`)

    const began = performance.now()
    const at = () => (performance.now() - began) / 1_000
    const [samples, tables, stretches]: [Sample[], TableSample[], Stretch[]] = [[], [], []]
    let isOver = false
    const sampling = (async () => {
      for (let turn = 0; !isOver; turn += 1) {
        const next = began + turn * SAMPLE_MILLISECONDS
        await new Promise(resolve => setTimeout(resolve, Math.max(0, next - performance.now())))
        samples.push(await sample(remit, at()))
        tables.push(await sampleTables(remit, at()))
      }
    })()
    // Its error is heard where it is awaited.
    sampling.catch(() => {})
    let requests = 0
    for (let seed = 1; at() < minutes * 60; seed += 1) {
      const acts = sideActs(remit, estate)
      acts.catch(() => {})
      let started = at()
      for await (const latencies of runRound(mix, { perSecond: capacity / 2, seed })) {
        stretches.push({ at: started, latencies })
        requests += latencies.length
        started = at()
      }
      await acts
      requests += SIDE_ACTS
      if (seed % 3 === 0) report(progress(started, stretches.slice(-15), samples.at(-1)))
    }
    isOver = true
    await sampling
    const course: Course = {
      minutes,
      capacity_per_second: capacity,
      load_per_second: capacity / 2,
      requests,
      warm_up: Math.min(WARM_UP_MOST, minutes * 60 * WARM_UP_PART),
      ...{ samples, tables, stretches },
    }
    result = resultOf(course)
    await writeFile(REPORT, soakPage(course, result, `${cpus().length} cores, Node ${process.version}, one worker`))
    console.log(values.json ? JSON.stringify(result) : textOf(result))
    report(`The plot is in ${REPORT}.`)
  },
  report,
  minutes * 60_000 + ALLOWANCE_MS,
)
if (!isDone || !result?.ok) process.exitCode = 1

function progress(seconds: number, stretches: readonly Stretch[], last: Sample | undefined): string {
  const latencies = stretches.flatMap(stretch => stretch.latencies)
  const [p50, p99] = [0.5, 0.99].map(part => quantile(latencies, part).toFixed(1))
  return `${(seconds / 60).toFixed(0)} min: p50 ${p50} ms, p99 ${p99} ms, ${((last?.rss ?? 0) / MB).toFixed(1)} MB`
}

function textOf({ bounds, slopes, load_per_second, requests }: Result): string {
  return [
    `${requests} requests, ${load_per_second.toFixed(0)} a second`,
    ...Object.entries(slopes).map(([name, slope]) => {
      const unit = name.split(', ').at(-1) ?? ''
      return `${name.padEnd(26)}${slope ? slopeText(slope, unit) : 'too few samples'}`
    }),
    ...bounds.map(({ verdict, what, told }) => `${verdict.padEnd(8)}${what}: ${told}`),
  ].join('\n')
}
