import { closedLoop, openConnections } from './load/closed-loop.ts'
import type { Peer } from './peers/peer.ts'
import { processorTime, residentMemory, signalAll } from './processes.ts'
import type { Kind } from './workloads.ts'

/** What one round showed. Processor time in milliseconds a request, memory in bytes. */
export type Round = {
  /** Good answers a second. */
  readonly rate: number
  /** Milliseconds, one a request. */
  readonly latencies: Float64Array
  readonly cpu: Parts
}

export type Parts = { readonly server: number; readonly database: number; readonly generator: number }

/** Requests before the clock starts: processor caches belong to whoever ran last. */
const LEAD_IN = 128

/**
 * Runs one round of one kind, alone: every other peer is stopped (SIGSTOP), so that nothing it left behind is paid for
 * here. `maker` is awake while the requests are made, for those that rest on its tokens.
 */
export async function runRound({ peer, prepare }: Kind, count: number, maker: Peer): Promise<Round> {
  wake(maker)
  const { requests, mark } = await prepare(count + LEAD_IN)
  if (maker !== peer) rest(maker)
  wake(peer)
  const connections = await openConnections(peer.origin)
  try {
    await closedLoop(connections, { requests: requests.slice(0, LEAD_IN), mark })
    const before = timesOf(peer)
    const { elapsed, latencies } = await closedLoop(connections, { requests: requests.slice(LEAD_IN), mark })
    const after = timesOf(peer)
    return {
      rate: (count / elapsed) * 1_000,
      latencies,
      cpu: {
        server: (after.server - before.server) / count,
        database: (after.database - before.database) / count,
        generator: (after.generator - before.generator) / count,
      },
    }
  } finally {
    for (const { close } of connections) close()
    rest(peer)
  }
}

/** Resident memory of a peer's parts and of this process, in bytes. */
export function memoryOf(peer: Peer): Parts {
  const { server, database } = peer.processes()
  const generator = process.memoryUsage.rss()
  return { server: residentMemory(server), database: residentMemory(database), generator }
}

/** A server rests before its database does, and wakes after it. */
export function rest(peer: Peer): void {
  const { server, database } = peer.processes()
  signalAll([...server, ...database], 'SIGSTOP')
}

export function wake(peer: Peer): void {
  const { server, database } = peer.processes()
  signalAll([...database, ...server], 'SIGCONT')
}

function timesOf(peer: Peer): Parts {
  const { server, database } = peer.processes()
  const { user, system } = process.cpuUsage()
  return { server: processorTime(server), database: processorTime(database), generator: (user + system) / 1_000 }
}
