import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latencyOf, pairedRatio } from '../../bench/figures.ts'
import type { Round } from '../../bench/run-round.ts'
import { intervalOfMedian } from '../../bench/statistics.ts'

const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1)
const NOTHING = { server: 0, database: 0, generator: 0 }

function round(rate: number): Round {
  return { rate, latencies: new Float64Array(), cpu: NOTHING, memory: NOTHING }
}

test('the 95 % interval of a median is that of the sign test (Conover, Practical Nonparametric Statistics, 3.2)', () => {
  // The tables of the binomial with p = 1/2: how many of n values may be left out at each end.
  const known = { 5: [1, 5], 6: [1, 6], 8: [1, 8], 9: [2, 8], 15: [4, 12], 17: [5, 13], 20: [6, 15], 40: [14, 27] }
  for (const [n, interval] of Object.entries(known)) assert.deepEqual(intervalOfMedian(upTo(Number(n))), interval)
})

test('the interval holds the middle of many values, whatever their order', () => {
  const [low, high] = intervalOfMedian(upTo(2_000).toReversed())
  // The normal approximation: 1000 -/+ 0.98 times the root of 2000.
  assert.ok(Math.abs(low - 956) <= 1 && Math.abs(high - 1_045) <= 1, `${low} to ${high}`)
})

test('a ratio is that of rounds beside each other, so that a drift of both does not show', () => {
  const drifting = upTo(15).map(n => 100 * n)
  const ratio = pairedRatio(
    drifting.map(rate => round(rate * 0.5)),
    drifting.map(round),
  )
  assert.deepEqual(ratio, { median: 0.5, interval: [0.5, 0.5] })
})

test('percentiles are of all requests of all rounds', () => {
  const samples = [Float64Array.from(upTo(500)), Float64Array.from(upTo(1_000).slice(500))]
  assert.deepEqual(latencyOf(samples), { p50: 500, p99: 990, p999: 999 })
})
