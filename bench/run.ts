import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { setStage } from '../demo/stage.ts'
import { alternate, type Rounds } from './alternate.ts'
import { benchPage } from './bench-page.ts'
import { measureHalfLoad } from './half-load.ts'
import { machineFacts } from './machine.ts'
import { durability, WORKERS } from './peers/remit.ts'
import { comparedWith, WORKLOADS } from './ratios.ts'
import { resultOf } from './result.ts'
import { resultText } from './result-text.ts'
import { type Kind, rest } from './run-round.ts'
import { startPeers } from './start-peers.ts'
import { median } from './statistics.ts'
import { kindsOf } from './workloads.ts'

// What a token costs here, beside the peers of docs/benchmarks.md, in alternating rounds of one run.

const FULL = { rounds: 17, seconds: 1.2 }
const QUICK = { rounds: 5, seconds: 1 }
const DEADLINE_MS = 30 * 60_000
const REPORT = 'bench-report.html'
/** Whose latency at half load stands side by side. */
const HALF_LOAD = ['client_credentials', 'client_credentials/oidc_provider']

const options = {
  json: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  workload: { type: 'string', default: WORKLOADS.join(',') },
} as const
const { json, quick, workload } = parseArgs({ options }).values
const wanted = workload.split(',')
const unknown = wanted.filter(name => !WORKLOADS.includes(name))
if (unknown.length > 0) throw new Error(`Unknown workload ${unknown.join(', ')}; there are ${WORKLOADS.join(', ')}.`)

const report = (line: string) => console.error(line)
const isDone = await setStage(
  async ({ dir, defer }) => {
    const { peers, estate } = await startPeers(dir, defer)
    const machine = machineFacts(await durability(peers.remit), [WORKERS])
    Object.values(peers).forEach(rest)
    const names = comparedWith(wanted)
    const kinds = kindsOf(peers, estate).filter(({ name }) => names.has(name))
    const rounds = await alternate(kinds, { ...(quick ? QUICK : FULL), report })
    const half_load = quick ? undefined : await measureHalfLoad(atHalf(kinds, rounds))
    const result = resultOf(rounds, machine, half_load)
    if (!quick) await writeFile(REPORT, benchPage(result))
    console.log(json ? JSON.stringify(result) : resultText(result))
    if (!quick) report(`The plot is in ${REPORT}.`)
  },
  report,
  DEADLINE_MS,
)
if (!isDone) process.exitCode = 1

function atHalf(kinds: readonly Kind[], rounds: Rounds) {
  report('half load')
  return kinds
    .filter(({ name }) => HALF_LOAD.includes(name))
    .map(kind => ({ kind, peak: median((rounds.get(kind.name) ?? []).map(({ rate }) => rate)) }))
}
