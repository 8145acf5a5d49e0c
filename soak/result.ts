import { quantile } from '../bench/rounds.ts'
import { type Bound, bytesOf, judge, MB, rowsOf, type Verdict } from './bounds.ts'
import type { Stretch } from './load.ts'
import type { Sample, TableSample } from './sample.ts'
import { type Point, type Slope, slopeOf } from './slope.ts'

/** What a soak saw, from the start of its load on. */
export type Course = {
  readonly minutes: number
  readonly capacity_per_second: number
  readonly load_per_second: number
  readonly requests: number
  /** Seconds that are left out of every slope. */
  readonly warm_up: number
  readonly samples: readonly Sample[]
  readonly tables: readonly TableSample[]
  readonly stretches: readonly Stretch[]
}

export type TableFigures = {
  readonly name: string
  readonly mb: number
  readonly rows: number
  readonly mb_an_hour: number
}

export type Result = {
  readonly ok: boolean
  readonly bounds: readonly Bound[]
  readonly slopes: Readonly<Record<string, Slope | undefined>>
  readonly tables: readonly TableFigures[]
} & Pick<Course, 'minutes' | 'capacity_per_second' | 'load_per_second' | 'requests' | 'warm_up'>

/** Latencies of a stretch by its time. */
export function latencyPoints(stretches: readonly Stretch[], part: number): readonly Point[] {
  return stretches.map(({ at, latencies }) => ({ at, value: quantile(latencies, part) }))
}

export function memoryPoints(samples: readonly Sample[], of: MemoryName): readonly Point[] {
  return samples.map(one => ({ at: one.at, value: one[of] / MB }))
}
export type MemoryName = 'rss' | 'heap' | 'external' | 'database_rss'

export function resultOf(course: Course): Result {
  const { minutes, capacity_per_second, load_per_second, requests, warm_up } = course
  const isWarm = ({ at }: { readonly at: number }) => at >= warm_up
  const samples = course.samples.filter(isWarm)
  const stretches = course.stretches.filter(isWarm)
  const bounds = judge(samples, course.tables)
  return {
    ok: bounds.every(({ verdict }) => verdict !== passed),
    ...{ minutes, capacity_per_second, load_per_second, requests, warm_up, bounds },
    slopes: {
      'server, resident, MB': slopeOf(memoryPoints(samples, 'rss')),
      'server, heap, MB': slopeOf(memoryPoints(samples, 'heap')),
      'server, external, MB': slopeOf(memoryPoints(samples, 'external')),
      'database, resident, MB': slopeOf(memoryPoints(samples, 'database_rss')),
      'latency p50, ms': slopeOf(latencyPoints(stretches, 0.5)),
      'latency p99, ms': slopeOf(latencyPoints(stretches, 0.99)),
      'event loop p99, ms': slopeOf(samples.map(({ at, event_loop_ms: value }) => ({ at, value }))),
    },
    tables: tableFigures(course.tables, warm_up),
  }
}

const passed: Verdict = 'passed'

/** A table that is smaller, and stays so, is not told. */
const LEAST_MB = 0.5

/** The tables that grew, largest first. */
function tableFigures(tables: readonly TableSample[], warm_up: number): readonly TableFigures[] {
  const names = tables.at(-1)?.tables.map(({ name }) => name) ?? []
  const warm = tables.filter(({ at }) => at >= warm_up)
  return names
    .map(name => ({
      name,
      mb: (bytesOf(name, tables).at(-1)?.value ?? 0) / MB,
      rows: rowsOf(name, tables).at(-1)?.value ?? 0,
      mb_an_hour: (slopeOf(bytesOf(name, warm))?.per_hour ?? 0) / MB,
    }))
    .filter(({ mb, mb_an_hour }) => mb >= LEAST_MB || mb_an_hour > 0)
    .toSorted((a, b) => b.mb - a.mb)
}
