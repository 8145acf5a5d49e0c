import type { Sample, TableSample } from './sample.ts'
import { type Point, type Slope, slopeOf } from './slope.ts'

/** `open`: so short a run neither shows nor excludes it. */
export type Verdict = 'held' | 'passed' | 'open'
export type Bound = { readonly what: string; readonly verdict: Verdict; readonly told: string }

export const MB = 2 ** 20
/** reliability.md R17. */
const MOST_MB_AN_HOUR = 1
/** A heap that finds its size may grow by so much in all: only over hours is that less than the bound. */
const SETTLING_MB = 32
/** A claim lies in a partition of 600 s, which goes 120 s after it, at the next turn; it was signed up to 80 s ahead. */
const REPLAY_HORIZON = 600 + 120 + 30 + 80
/** Sockets come and go: a thousand requests each (maxRequestsPerSocket). */
const DESCRIPTORS_OF_CHANCE = 8

/** The bounds of reliability.md R17, each judged by what was seen after the warm-up. */
export function judge(samples: readonly Sample[], tables: readonly TableSample[]): readonly Bound[] {
  return [memoryBound(samples), descriptorsBound(samples), replayBound(tables)]
}

function memoryBound(samples: readonly Sample[]): Bound {
  const slope = slopeOf(samples.map(({ at, rss }) => ({ at, value: rss / MB })))
  const what = `resident memory of the server grows by less than ${MOST_MB_AN_HOUR} MB an hour`
  if (!slope) return { what, verdict: 'open', told: 'too few samples' }
  const hours = ((samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0)) / 3_600
  const allowed = Math.max(MOST_MB_AN_HOUR, SETTLING_MB / hours)
  const [low, high] = slope.interval
  const verdict = high < MOST_MB_AN_HOUR ? 'held' : low > allowed ? 'passed' : 'open'
  return {
    what,
    verdict,
    told: `${slopeText(slope, 'MB')}; this run can show a leak of ${allowed.toFixed(0)} MB an hour`,
  }
}

/** The most of the last third beside the most of the two before it. */
function descriptorsBound(samples: readonly Sample[]): Bound {
  const what = 'the server opens no more descriptors as time goes by'
  const third = Math.floor(samples.length / 3)
  if (third < 3) return { what, verdict: 'open', told: 'too few samples' }
  const most = (some: readonly Sample[]) => Math.max(...some.map(({ descriptors }) => descriptors))
  const [before, after] = [most(samples.slice(0, -third)), most(samples.slice(-third))]
  const told = `at most ${before} before, at most ${after} in the last third`
  return { what, verdict: after > before + DESCRIPTORS_OF_CHANCE ? 'passed' : 'held', told }
}

/** What is there is at most what the horizon brings, at the rate at which the first minutes brought it. */
function replayBound(tables: readonly TableSample[]): Bound {
  const what = `the table of single uses holds no more than ${REPLAY_HORIZON} s of them`
  const rows = rowsOf('replay', tables)
  const start = tables[0]?.at ?? 0
  const early = rows.filter(({ at }) => at - start <= REPLAY_HORIZON / 4)
  const perSecond = (slopeOf(early)?.per_hour ?? 0) / 3_600
  const [most, ran] = [Math.max(...rows.map(({ value }) => value)), (rows.at(-1)?.at ?? 0) - start]
  const told = `at most ${most} rows, ${perSecond.toFixed(0)} new ones a second`
  if (perSecond <= 0 || ran < REPLAY_HORIZON)
    return { what, verdict: 'open', told: `${told}; a run of ${ran.toFixed(0)} s` }
  return { what, verdict: most > perSecond * REPLAY_HORIZON * 1.15 ? 'passed' : 'held', told }
}

export function rowsOf(name: string, tables: readonly TableSample[]): readonly Point[] {
  return pointsOf(name, tables, 'rows')
}

export function bytesOf(name: string, tables: readonly TableSample[]): readonly Point[] {
  return pointsOf(name, tables, 'bytes')
}

function pointsOf(name: string, tables: readonly TableSample[], of: 'rows' | 'bytes'): readonly Point[] {
  return tables.map(one => ({ at: one.at, value: one.tables.find(table => table.name === name)?.[of] ?? 0 }))
}

export function slopeText({ per_hour, interval: [low, high] }: Slope, unit: string): string {
  return `${per_hour.toFixed(2)} ${unit} an hour, 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}`
}
