import { type Latency, latencyOf } from './figures.ts'
import { openConnections } from './load/closed-loop.ts'
import { arrivals, openLoop } from './load/open-loop.ts'
import { type Kind, rest, wake } from './run-round.ts'

/** Latency of one kind at a fixed rate of arrivals, which does not wait for answers. */
export type HalfLoad = Latency & { readonly per_second: number }

const [SEGMENTS, SECONDS] = [5, 3]

/** Latency of each kind at half of its own peak: some seconds of each in turn, the same pattern of arrivals for all. */
export async function measureHalfLoad(
  kinds: readonly { readonly kind: Kind; readonly peak: number }[],
): Promise<Readonly<Record<string, HalfLoad>>> {
  const seen = kinds.map(({ kind, peak }) => {
    const samples: Float64Array[] = []
    return { kind, per_second: Math.round(peak / 2), samples }
  })
  for (let segment = 0; segment < SEGMENTS; segment += 1) {
    for (const { kind, per_second, samples } of segment % 2 === 0 ? seen : seen.toReversed()) {
      samples.push(await runSegment(kind, per_second, segment))
    }
  }
  return Object.fromEntries(
    seen.map(({ kind, per_second, samples }) => [kind.peer.name, { per_second, ...latencyOf(samples) }]),
  )
}

async function runSegment({ peer, prepare }: Kind, per_second: number, segment: number): Promise<Float64Array> {
  const count = per_second * SECONDS
  wake(peer)
  const batch = await prepare(count)
  const connections = await openConnections(peer.origin)
  try {
    return (await openLoop(connections, batch, arrivals(count, per_second, segment + 1))).latencies
  } finally {
    for (const { close } of connections) close()
    rest(peer)
  }
}
