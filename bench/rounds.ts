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

/**
 * Times each kind once a round, in turning order and every other time backwards, so that what drifts drifts for all of
 * them, and none always comes after the same one.
 */
export async function measure(
  rounds: number,
  kinds: Readonly<Record<string, Kind>>,
  warmUp = WARM_UP,
): Promise<readonly Measured[]> {
  const names = Object.keys(kinds)
  const times = new Map<string, number[]>(names.map(name => [name, []]))
  for (let round = -warmUp; round < rounds; round += 1) {
    const turn = round + warmUp
    const first = turn % names.length
    const turned = [...names.slice(first), ...names.slice(0, first)]
    for (const name of Math.floor(turn / names.length) % 2 === 0 ? turned : turned.reverse()) {
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
