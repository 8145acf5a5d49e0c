import { quantile } from './rounds.ts'
import type { Parts, Round } from './run-round.ts'
import { intervalOfMedian, median } from './statistics.ts'

/** A median with its 95 % interval. */
export type Estimate = { readonly median: number; readonly interval: readonly [low: number, high: number] }

/** Milliseconds, over all requests of all rounds. */
export type Latency = { readonly p50: number; readonly p99: number; readonly p999: number }

/** One kind in numbers: good answers a second, latency, processor time and memory (bytes, its highest) by part. */
export type Figures = Estimate &
  Latency & { readonly cpu_ms_per_request: Parts; readonly rss: Parts; readonly rounds: readonly number[] }

export function figuresOf(rounds: readonly Round[]): Figures {
  const rates = rounds.map(({ rate }) => rate)
  return {
    ...estimate(rates),
    ...latencyOf(rounds.map(({ latencies }) => latencies)),
    cpu_ms_per_request: parts(part => rounded(median(rounds.map(({ cpu }) => cpu[part])))),
    rss: parts(part => Math.max(...rounds.map(({ memory }) => memory[part]))),
    rounds: rates.map(rounded),
  }
}

/** What the rounds of one kind are to those of another beside them, round by round. */
export function pairedRatio(
  ones: readonly Round[],
  others: readonly Round[],
  of: (round: Round) => number = ({ rate }) => rate,
): Estimate {
  return estimate(
    ones.flatMap((one, index) => {
      const other = others[index]
      return other ? [of(one) / of(other)] : []
    }),
  )
}

export function latencyOf(samples: readonly Float64Array[]): Latency {
  const all = samples.flatMap(sample => [...sample])
  return { p50: rounded(quantile(all, 0.5)), p99: rounded(quantile(all, 0.99)), p999: rounded(quantile(all, 0.999)) }
}

function estimate(values: readonly number[]): Estimate {
  const [low, high] = intervalOfMedian(values)
  return { median: rounded(median(values)), interval: [rounded(low), rounded(high)] }
}

function parts(of: (part: keyof Parts) => number): Parts {
  return { server: of('server'), database: of('database'), generator: of('generator') }
}

/** Four figures say all that a measurement does. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
