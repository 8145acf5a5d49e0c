import { parseArgs } from 'node:util'
import type { Defer } from '../demo/remit-server.ts'
import { setStage } from '../demo/stage.ts'
import { alternate } from './alternate.ts'
import { openCaps } from './cpu-caps.ts'
import { API, registerEstate } from './estate.ts'
import { type Estimate, figuresOf, pairedRatio } from './figures.ts'
import { generateBenchKey } from './load/signer.ts'
import { agentGrants, TOKEN_MARK } from './load/token-requests.ts'
import { machineFacts } from './machine.ts'
import { durability, type RemitPeer, startRemitPeer } from './peers/remit.ts'
import { type Kind, rest, wake } from './run-round.ts'

// What a second worker costs, and what it brings where workers and not the machine are the limit: two servers with a
// database each, one worker and two, the agent grant, round by round.

const [ROUNDS, SECONDS] = [17, 1.2]
/** Processor time of a mint with two workers, and throughput of two that have 0.4 cores each; both to one worker. */
const BOUNDS = { cpu_ratio: 1.1, capped_ratio: 1.8 }
const CORES_A_WORKER = 0.4
const DEADLINE_MS = 30 * 60_000

const { json } = parseArgs({ options: { json: { type: 'boolean', default: false } } }).values
const report = (line: string) => console.error(line)
const isDone = await setStage(
  async ({ dir, defer }) => {
    const peers = [await start(1, dir, defer), await start(2, dir, defer)]
    const machine = machineFacts(await durability(peers[0]?.remit ?? absent()), [1, 2])
    const kinds = peers.map(({ kind }) => kind)
    for (const { peer } of kinds) rest(peer)
    const free = await compare(kinds)
    const caps = openCaps()
    if ('reason' in caps) report(`Workers cannot be held to ${CORES_A_WORKER} cores here: ${caps.reason}.`)
    else {
      // They must end outside of the groups, before these are removed.
      defer(async () => caps.undo())
      for (const { remit } of peers) for (const pid of workersOf(remit)) caps.cap(pid, CORES_A_WORKER)
    }
    const capped = 'reason' in caps ? undefined : await compare(kinds)
    const result = {
      cpu_ratio: pairedRatio(free.two, free.one, ({ cpu }) => cpu.server + cpu.database),
      ...(capped
        ? { capped_ratio: pairedRatio(capped.two, capped.one) }
        : { not_capped: 'reason' in caps && caps.reason }),
      bounds: BOUNDS,
      free: { 1: figuresOf(free.one), 2: figuresOf(free.two) },
      ...(capped && { capped: { 1: figuresOf(capped.one), 2: figuresOf(capped.two) } }),
      machine,
    }
    console.log(json ? JSON.stringify(result) : textOf(result))
  },
  report,
  DEADLINE_MS,
)
if (!isDone) process.exitCode = 1

async function start(workers: number, dir: string, defer: Defer): Promise<{ remit: RemitPeer; kind: Kind }> {
  const remit = await startRemitPeer(`workers_${workers}`, dir, defer, { REMIT_WORKERS: String(workers) })
  defer(async () => wake(remit))
  if (workersOf(remit).length !== workers)
    throw new Error(`There are ${workersOf(remit).length} workers, not ${workers}.`)
  const appKey = generateBenchKey()
  const { agents } = await registerEstate(remit, appKey, `${API}/other`)
  const grant = agentGrants(remit.metadata, appKey)(agents.solo)
  const prepare = (count: number) => ({ requests: Array.from({ length: count }, () => grant()), mark: TOKEN_MARK })
  return { remit, kind: { name: `${workers} workers`, peer: remit, prepare } }
}

/** One worker serves in the process that was started; several are its children. */
function workersOf({ pid, processes }: RemitPeer): readonly number[] {
  const children = processes().server.filter(other => other !== pid)
  return children.length === 0 ? [pid] : children
}

async function compare(kinds: readonly Kind[]) {
  const rounds = await alternate(kinds, { rounds: ROUNDS, seconds: SECONDS, report })
  const [one = [], two = []] = kinds.map(({ name }) => rounds.get(name))
  return { one, two }
}

type Result = { readonly cpu_ratio: Estimate; readonly capped_ratio?: Estimate }

function textOf({ cpu_ratio, capped_ratio }: Result): string {
  const said = ({ median, interval }: Estimate) => `${median} [${interval.join(', ')}]`
  const held = (holds: boolean) => (holds ? 'held' : 'NOT HELD')
  const isCheap = held(cpu_ratio.median <= BOUNDS.cpu_ratio)
  const cpu = `processor time of a mint, two workers / one: ${said(cpu_ratio)}  at most ${BOUNDS.cpu_ratio}: ${isCheap}`
  const throughput = `throughput at ${CORES_A_WORKER} cores a worker, two / one: `
  if (!capped_ratio) return `${cpu}\n${throughput}not measured`
  const isFast = held(capped_ratio.median >= BOUNDS.capped_ratio)
  const capped = `${said(capped_ratio)}  at least ${BOUNDS.capped_ratio}: ${isFast}`
  return `${cpu}\n${throughput}${capped}`
}

function absent(): never {
  throw new Error('There are two.')
}
