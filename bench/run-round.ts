import type { Batch } from './load/batch.ts'
import { closedLoop, openConnections } from './load/closed-loop.ts'
import type { Peer } from './peers/peer.ts'
import { processorTime, residentMemory, signalAll } from './processes.ts'

/** One thing that is measured at one peer. */
export type Kind = {
  readonly name: string
  readonly peer: Peer
  /** Makes, just before a round, what the round sends. */
  readonly prepare: (count: number) => Batch | Promise<Batch>
  /** Who is awake beside the peer: its tokens are sent, and its keys fetched. */
  readonly issuer?: Peer
}

export type Parts = { readonly server: number; readonly database: number; readonly generator: number }

/** What one round showed. */
export type Round = {
  /** Good answers a second. */
  readonly rate: number
  /** Milliseconds, one a request. */
  readonly latencies: Float64Array
  /** Milliseconds of processor time a request. */
  readonly cpu: Parts
  /** Bytes, as the round ended. */
  readonly memory: Parts
}

/** Requests before the clock starts: processor caches belong to whoever ran last. */
const LEAD_IN = 128

/**
 * Runs one round of one kind, alone: every peer is stopped (SIGSTOP) outside of its own rounds, so that nothing it left
 * behind is paid for here.
 */
export async function runRound({ peer, issuer = peer, prepare }: Kind, count: number): Promise<Round> {
  wake(issuer)
  wake(peer)
  const { requests, mark } = await prepare(count + LEAD_IN)
  const connections = await openConnections(peer.origin)
  try {
    await closedLoop(connections, { requests: requests.slice(0, LEAD_IN), mark })
    const before = processorTimes(peer)
    const { elapsed, latencies } = await closedLoop(connections, { requests: requests.slice(LEAD_IN), mark })
    const after = processorTimes(peer)
    const cpu = {
      server: (after.server - before.server) / count,
      database: (after.database - before.database) / count,
      generator: (after.generator - before.generator) / count,
    }
    return { rate: (count / elapsed) * 1_000, latencies, cpu, memory: memoryOf(peer) }
  } finally {
    for (const { close } of connections) close()
    rest(peer)
    rest(issuer)
  }
}

/** Resident memory of a peer's parts and of this process, in bytes. */
export function memoryOf(peer: Peer): Parts {
  const { server, database } = peer.processes()
  const generator = residentMemory([process.pid])
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

function processorTimes(peer: Peer): Parts {
  const { server, database } = peer.processes()
  const { user, system } = process.cpuUsage()
  return { server: processorTime(server), database: processorTime(database), generator: (user + system) / 1_000 }
}
