import { parseArgs } from 'node:util'
import { setStage } from '../demo/stage.ts'
import { durability } from './peers/remit.ts'
import { type Round, runRound } from './round.ts'
import { quantile } from './rounds.ts'
import { startAll } from './start-all.ts'
import { median } from './statistics.ts'
import { kindsOf } from './workloads.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, workload: { type: 'string' }, json: { type: 'boolean' } },
})
const ROUNDS = values.quick ? 5 : 17
const SECONDS = values.quick ? 1 : 1.5
const WARM_UP = [256, 0.7, 1]

const isDone = await setStage(
  async ({ dir, defer }) => {
    const { peers, estate } = await startAll(dir, defer)
    console.error(await durability(peers.remit))
    const wanted = values.workload?.split(',')
    const kinds = kindsOf(peers, estate).filter(({ name }) => !wanted || wanted.includes(name.split('/')[0] ?? ''))
    const counts = new Map<string, number>()
    for (const kind of kinds) {
      let rate = 400
      for (const seconds of WARM_UP) {
        const count = seconds > 2 ? seconds : Math.ceil(rate * seconds)
        rate = (await runRound(kind, count, peers.remit)).rate
      }
      counts.set(kind.name, Math.ceil(rate * SECONDS))
      console.error(`warm: ${kind.name} ${rate.toFixed(0)}/s`)
    }
    const rounds = new Map<string, Round[]>(kinds.map(({ name }) => [name, []]))
    for (let round = 0; round < ROUNDS; round += 1) {
      const first = round % kinds.length
      const turned = [...kinds.slice(first), ...kinds.slice(0, first)]
      for (const kind of round % 2 === 0 ? turned : turned.reverse()) {
        const result = await runRound(kind, counts.get(kind.name) ?? 400, peers.remit)
        rounds.get(kind.name)?.push(result)
      }
      console.error(`round ${round + 1} of ${ROUNDS}`)
    }
    for (const [name, all] of rounds) {
      const of = (pick: (round: Round) => number) => median(all.map(pick))
      const fixed = (value: number) => value.toFixed(3)
      console.log(
        `${name.padEnd(36)} ${of(r => r.rate)
          .toFixed(0)
          .padStart(
            6,
          )}/s  p50 ${fixed(of(r => quantile([...r.latencies], 0.5)))} p99 ${fixed(of(r => quantile([...r.latencies], 0.99)))} ms  cpu ms/request: server ${fixed(of(r => r.cpu.server))} database ${fixed(of(r => r.cpu.database))} generator ${fixed(of(r => r.cpu.generator))}`,
      )
    }
  },
  console.error,
  1_200_000,
)
if (!isDone) process.exitCode = 1
