import { AggregatorRegistry, type Registry } from 'prom-client'
import type { Measured } from './messages.ts'

/** What only grows: a worker that ended takes nothing of it away, or a scraper would see a reset. */
const GROWS = new Set(['counter', 'histogram'])

/** The metrics of a node of several workers, each added by its own rule (sum, unless it says otherwise). */
export type MetricsSum = {
  /** What a worker measured last; it stands until the next. */
  readonly keep: (worker: number, metrics: Measured) => void
  /** A worker ended: its counts stay, its gauges go. */
  readonly depart: (worker: number) => void
  /** Everything, with what the primary measured itself. */
  readonly text: (own: Registry) => Promise<string>
}

export function createMetricsSum(): MetricsSum {
  const latest = new Map<number, Measured>()
  /** Of all that ended, one behind the other until the next sum: workers seldom end. */
  let departed: readonly Measured[] = []
  return {
    keep: (worker, metrics) => void latest.set(worker, metrics),
    depart(worker) {
      const last = latest.get(worker)?.filter(({ type }) => GROWS.has(type))
      latest.delete(worker)
      if (last) departed = [...departed, last]
    },
    async text(own) {
      if (departed.length > 1) departed = [await summed(departed)]
      const all = [await own.getMetricsAsJSON(), ...latest.values(), ...departed]
      return await AggregatorRegistry.aggregate(all).metrics()
    },
  }
}

async function summed(metrics: readonly Measured[]): Promise<Measured> {
  const sum = await AggregatorRegistry.aggregate([...metrics]).getMetricsAsJSON()
  return sum.map(metric => ({ ...metric, type: String(metric.type) }))
}
