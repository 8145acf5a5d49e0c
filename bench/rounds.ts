import { median } from './statistics.ts'

/** Makes ready what one round of it needs, and answers what is timed. */
export type Kind = () => Promise<() => Promise<void>>

/** Times in milliseconds, one a round, in the order of the rounds. */
export type Measured = {
  readonly name: string
  readonly times: readonly number[]
  readonly median: number
  readonly p99: number
}

/** Rounds before the first that counts. */
export const WARM_UP = 200

/** Times each kind once a round, in turning order, so that what drifts drifts for all of them. */
export async function measure(rounds: number, kinds: Readonly<Record<string, Kind>>): Promise<readonly Measured[]> {
  const names = Object.keys(kinds)
  const times = new Map(names.map(name => [name, [] as number[]]))
  for (let round = -WARM_UP; round < rounds; round += 1) {
    const first = (round + WARM_UP) % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const go = await kinds[name]?.()
      const began = performance.now()
      await go?.()
      if (round >= 0) times.get(name)?.push(performance.now() - began)
    }
  }
  return names.map(name => {
    const own = times.get(name) ?? []
    return { name, times: own, median: median(own), p99: quantile(own, 0.99) }
  })
}

/** The smallest value that this part of them does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? 0
}
