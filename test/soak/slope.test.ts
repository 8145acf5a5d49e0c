import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, MB } from '../../soak/bounds.ts'
import type { Sample, TableSample } from '../../soak/sample.ts'
import { type Point, slopeOf } from '../../soak/slope.ts'

/** Noise that is the same in every run, between -1 and 1. */
function noises(count: number, seed: number): readonly number[] {
  let state = seed
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** One point every five seconds for half an hour. */
function line(perHour: number, noise: number, seed = 1): readonly Point[] {
  return noises(360, seed).map((chance, index) => ({
    at: index * 5,
    value: 100 + (perHour * index) / 720 + noise * chance,
  }))
}

function samplesOf(points: readonly Point[], descriptors: (index: number) => number): readonly Sample[] {
  const rest = {
    heap: 0,
    external: 0,
    database_rss: 0,
    database_descriptors: 0,
    database_processes: 0,
    event_loop_ms: 0,
  }
  return points.map(({ at, value }, index) => ({ at, rss: value * MB, descriptors: descriptors(index), ...rest }))
}

function replayOf(rows: (at: number) => number): readonly TableSample[] {
  return Array.from({ length: 360 }, (_, index) => index * 5).map(at => ({
    at,
    tables: [{ name: 'replay', bytes: 0, rows: rows(at) }],
  }))
}

test('the slope of a line is its slope, and one odd point in ten does not move it (Theil and Sen)', () => {
  assert.ok(Math.abs((slopeOf(line(12, 0))?.per_hour ?? 0) - 12) < 1e-9)
  const odd = line(12, 0.1).map((point, index) => (index % 10 === 3 ? { ...point, value: 5_000 } : point))
  const slope = slopeOf(odd)
  assert.ok(slope && Math.abs(slope.per_hour - 12) < 0.5, JSON.stringify(slope))
  assert.equal(slopeOf(line(1, 0).slice(0, 5)), undefined)
})

test('the interval holds the true slope about nineteen times of twenty', () => {
  const held = Array.from({ length: 100 }, (_, seed) => slopeOf(line(3, 2, seed + 1))).filter(
    slope => slope && slope.interval[0] <= 3 && slope.interval[1] >= 3,
  )
  assert.ok(held.length >= 88 && held.length < 100, `${held.length} of 100`)
})

test('what grows passes its bound, what is flat holds it, and what the noise hides or a short run hides is open (reliability.md R17)', () => {
  const flat = replayOf(at => 100 * Math.min(at, 700))
  const verdicts = (points: readonly Point[], descriptors: (index: number) => number, tables = flat) =>
    judge(samplesOf(points, descriptors), tables).map(({ verdict }) => verdict)
  assert.deepEqual(
    verdicts(line(0, 0.1), () => 50),
    ['held', 'held', 'held'],
  )
  assert.deepEqual(
    verdicts(line(100, 1), () => 50),
    ['passed', 'held', 'held'],
  )
  assert.deepEqual(
    verdicts(line(20, 1), () => 50),
    ['open', 'held', 'held'],
  )
  assert.deepEqual(
    verdicts(line(0, 5), () => 50),
    ['open', 'held', 'held'],
  )
  assert.deepEqual(
    verdicts(line(0, 0.1), index => 50 + index / 10),
    ['held', 'passed', 'held'],
  )
  assert.deepEqual(
    verdicts(
      line(0, 0.1),
      () => 50,
      replayOf(at => 100 * at),
    ),
    ['held', 'held', 'passed'],
  )
  assert.deepEqual(
    verdicts(line(0, 0.1), () => 50, flat.slice(0, 30)),
    ['held', 'held', 'open'],
  )
})
