import type { Batch } from '../bench/load/batch.ts'
import { closedLoop, openConnections } from '../bench/load/closed-loop.ts'
import type { Connection } from '../bench/load/connection.ts'
import { arrivals, openLoop } from '../bench/load/open-loop.ts'
import type { Kind } from '../bench/run-round.ts'

/** The parts of the mixed load; the names are workloads of the bench. */
const SHARES: Readonly<Record<string, number>> = {
  client_credentials: 0.3,
  agent: 0.25,
  agent_delegated: 0.15,
  introspection_basic: 0.1,
  introspection_private_key_jwt: 0.1,
  jwks: 0.1,
}
const CONNECTIONS_OF_A_KIND = 6
const [WARM_UP, SECONDS] = [200, 2.5]
/** Shorter than the server keeps an idle connection (5 s). */
const STRETCH_SECONDS = 4
/** What is signed at once is good for longer than all of them. */
const STRETCHES = 5

export type Mix = readonly { readonly kind: Kind; readonly share: number }[]

/** Milliseconds from the planned time of each request of some seconds to its answer; `at` in seconds. */
export type Stretch = { readonly at: number; readonly latencies: readonly number[] }

export function mixOf(kinds: readonly Kind[]): Mix {
  return Object.entries(SHARES).map(([name, share]) => {
    const kind = kinds.find(one => one.name === name)
    if (!kind) throw new Error(`The bench has no workload ${name}.`)
    return { kind, share }
  })
}

/** Requests a second that the server can answer of this mix: what each kind takes alone, by its share. */
export async function capacityOf(mix: Mix, report: (line: string) => void): Promise<number> {
  let seconds = 0
  for (const { kind, share } of mix) {
    const first = await rateOf(kind, WARM_UP)
    const rate = await rateOf(kind, Math.ceil(first * SECONDS))
    report(`${kind.name} alone: ${rate.toFixed(0)} a second`)
    seconds += share / rate
  }
  return 1 / seconds
}

async function rateOf(kind: Kind, count: number): Promise<number> {
  const batch = await kind.prepare(count)
  return await connected(kind, async connections => {
    const { elapsed } = await closedLoop(connections, batch)
    return (count / elapsed) * 1_000
  })
}

/**
 * Twenty seconds of the mix: requests are signed first, then sent at random times that do not wait for answers, four
 * seconds at a time, by connections of their own.
 */
export async function* runRound(
  mix: Mix,
  { perSecond, seed }: { readonly perSecond: number; readonly seed: number },
): AsyncGenerator<readonly number[]> {
  const prepared: { kind: Kind; batch: Batch; count: number; rate: number }[] = []
  for (const { kind, share } of mix) {
    const count = Math.max(1, Math.round(perSecond * share * STRETCH_SECONDS))
    prepared.push({ kind, count, rate: perSecond * share, batch: await kind.prepare(count * STRETCHES) })
  }
  for (let stretch = 0; stretch < STRETCHES; stretch += 1) {
    const loads = await Promise.all(
      prepared.map(async ({ kind, batch: { requests, mark }, count, rate }) => {
        const own = { mark, requests: requests.slice(stretch * count, (stretch + 1) * count) }
        const plan = arrivals(count, rate, seed * STRETCHES + stretch)
        return await connected(kind, connections => openLoop(connections, own, plan))
      }),
    )
    yield loads.flatMap(({ latencies }) => [...latencies])
  }
}

/** Does something over connections of its own. An error says of which kind. */
async function connected<T>({ name, peer }: Kind, run: (connections: readonly Connection[]) => Promise<T>): Promise<T> {
  const connections = await openConnections(peer.origin, CONNECTIONS_OF_A_KIND)
  try {
    return await run(connections)
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : error}`)
  } finally {
    for (const { close } of connections) close()
  }
}
