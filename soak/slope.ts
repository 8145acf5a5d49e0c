import { median } from '../bench/statistics.ts'

/** What was seen at a time, in seconds from the start. */
export type Point = { readonly at: number; readonly value: number }

/** How much a value grows in an hour, with its 95 % interval. */
export type Slope = { readonly per_hour: number; readonly interval: readonly [low: number, high: number] }

const HOUR = 3_600
/** Fewer points than that have no interval. */
const LEAST_POINTS = 6
const BINS = 30

/**
 * The slope of Theil and Sen: the median of the slopes between all pairs, which one odd point in four does not move; its
 * interval is that of Sen, from the number of pairs that order by chance could turn round. Points that hang together
 * make it too narrow, so that medians of stretches of time are taken first. Undefined for fewer than six of them.
 */
export function slopeOf(points: readonly Point[]): Slope | undefined {
  const stretches = stretched(points)
  const n = stretches.length
  if (n < LEAST_POINTS) return undefined
  const slopes = stretches
    .flatMap((one, index) => stretches.slice(index + 1).map(other => (other.value - one.value) / (other.at - one.at)))
    .toSorted((a, b) => a - b)
  const reach = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
  const low = slopes[Math.max(0, Math.floor((slopes.length - reach) / 2))] ?? 0
  const high = slopes[Math.min(slopes.length - 1, Math.ceil((slopes.length + reach) / 2))] ?? 0
  return { per_hour: median(slopes) * HOUR, interval: [low * HOUR, high * HOUR] }
}

/** The median of each of thirty stretches of equal length. */
function stretched(points: readonly Point[]): readonly Point[] {
  const first = points[0]?.at ?? 0
  const width = ((points.at(-1)?.at ?? 0) - first) / BINS || 1
  const bins = Map.groupBy(points, ({ at }) => Math.min(BINS - 1, Math.floor((at - first) / width)))
  return [...bins.values()].map(own => ({
    at: median(own.map(({ at }) => at)),
    value: median(own.map(({ value }) => value)),
  }))
}
