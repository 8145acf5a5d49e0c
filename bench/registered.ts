import { parseArgs } from 'node:util'
import { setStage } from '../demo/stage.ts'
import { alternate } from './alternate.ts'
import { API, type BenchAgent, registerEstate } from './estate.ts'
import { figuresOf, pairedRatio } from './figures.ts'
import { generateBenchKey } from './load/signer.ts'
import { agentGrants, TOKEN_MARK } from './load/token-requests.ts'
import { machineFacts } from './machine.ts'
import { durability, startRemitPeer } from './peers/remit.ts'
import { type Kind, memoryOf, rest, wake } from './run-round.ts'
import { seedAgents } from './seed-agents.ts'

// Whether a mint costs more where a million agents are registered than where a thousand are: two servers with a database
// each, the agent grant, round by round. Each request is of another agent, so that no cache smaller than the sample knows it.

const FEW = { count: 1_000, sampled: 1_000 }
const MANY = { count: 1_000_000, sampled: 50_000 }
const [ROUNDS, SECONDS] = [17, 1.2]
/** A mint among the many takes at most this much longer. */
const BOUND = 1.2
const DEADLINE_MS = 30 * 60_000

const { json } = parseArgs({ options: { json: { type: 'boolean', default: false } } }).values
const report = (line: string) => console.error(line)
const isDone = await setStage(
  async ({ dir, defer }) => {
    const start = async ({ count, sampled }: typeof MANY): Promise<Kind> => {
      const remit = await startRemitPeer(`registered_${count}`, dir, defer, { REMIT_WORKERS: '1' })
      defer(async () => wake(remit))
      const appKey = generateBenchKey()
      const estate = await registerEstate(remit, appKey, `${API}/other`)
      report(`registering ${count} agents`)
      const agents = await seedAgents(remit, estate.agents.solo.agent_id, { count, sampled })
      postgres = await durability(remit)
      rest(remit)
      return { name: String(count), peer: remit, prepare: inTurn(agents, agentGrants(remit.metadata, appKey)) }
    }
    let postgres = {}
    const kinds = [await start(FEW), await start(MANY)]
    const seeded = memories(kinds)
    const rounds = await alternate(kinds, { rounds: ROUNDS, seconds: SECONDS, report })
    const [few = [], many = []] = kinds.map(({ name }) => rounds.get(name))
    const result = {
      cost_ratio: pairedRatio(few, many),
      cpu_ratio: pairedRatio(many, few, ({ cpu }) => cpu.server + cpu.database),
      bound: BOUND,
      registered: { [FEW.count]: figuresOf(few), [MANY.count]: figuresOf(many) },
      server_rss: { before: seeded, after: memories(kinds) },
      machine: machineFacts(postgres, [1]),
    }
    console.log(json ? JSON.stringify(result) : textOf(result))
  },
  report,
  DEADLINE_MS,
)
if (!isDone) process.exitCode = 1

/** One request of each agent, and from the first again when there are no more. */
function inTurn(agents: readonly BenchAgent[], grants: ReturnType<typeof agentGrants>): Kind['prepare'] {
  let next = 0
  return count => {
    const requests = Array.from({ length: count }, () => {
      const agent = agents[next % agents.length]
      next += 1
      if (!agent) throw new Error('There are no agents.')
      return grants(agent)()
    })
    return { requests, mark: TOKEN_MARK }
  }
}

function memories(kinds: readonly Kind[]): Readonly<Record<string, number>> {
  return Object.fromEntries(kinds.map(({ name, peer }) => [name, memoryOf(peer).server]))
}

type Result = {
  readonly cost_ratio: ReturnType<typeof pairedRatio>
  readonly cpu_ratio: ReturnType<typeof pairedRatio>
  readonly server_rss: {
    readonly before: Readonly<Record<string, number>>
    readonly after: Readonly<Record<string, number>>
  }
}

function textOf({ cost_ratio, cpu_ratio, server_rss: { before, after } }: Result): string {
  const said = ({ median, interval }: typeof cost_ratio) => `${median} [${interval.join(', ')}]`
  const held = cost_ratio.median <= BOUND ? 'held' : 'NOT HELD'
  return [
    `time of a mint, ${MANY.count} agents / ${FEW.count} agents: ${said(cost_ratio)}  at most ${BOUND}: ${held}`,
    `processor time of server and database, the same: ${said(cpu_ratio)}`,
    ...Object.entries(after).map(
      ([count, bytes]) =>
        `server with ${count} agents: ${megabytes(before[count])} MB at first, ${megabytes(bytes)} MB at last`,
    ),
  ].join('\n')
}

function megabytes(bytes = 0): number {
  return Math.round(bytes / 2 ** 20)
}
