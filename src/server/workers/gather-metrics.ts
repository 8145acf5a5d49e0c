import type { Worker } from 'node:cluster'
import type { Registry } from 'prom-client'
import type { ToPrimary, ToWorker } from './messages.ts'
import { createMetricsSum } from './metrics-sum.ts'

/** A worker that is busy for longer is counted as it was at the scrape before. */
const ANSWER_WITHIN_MS = 1_000

export type GatheredMetrics = {
  readonly hear: (worker: Worker, message: ToPrimary) => void
  readonly depart: (worker: Worker) => void
}

/** Answers the scrape of one worker with the sum of all, and of the primary's own. */
export function gatherMetrics(own: Registry, ready: () => readonly Worker[]): GatheredMetrics {
  const sum = createMetricsSum()
  const waiting = new Map<number, { readonly missing: Set<Worker>; readonly done: () => void }>()
  let lastId = 0

  async function measureAll(): Promise<void> {
    const workers = ready()
    lastId += 1
    const id = lastId
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.set(id, { missing: new Set(workers), done: resolve })
    const limit = setTimeout(resolve, ANSWER_WITHIN_MS)
    for (const worker of workers) worker.send({ remit: 'measure', id } satisfies ToWorker)
    if (workers.length > 0) await promise
    clearTimeout(limit)
    waiting.delete(id)
  }

  function settle(worker: Worker, id: number): void {
    const round = waiting.get(id)
    round?.missing.delete(worker)
    if (round?.missing.size === 0) round.done()
  }

  async function answer(worker: Worker, id: number): Promise<void> {
    await measureAll()
    const text = await sum.text(own)
    if (worker.isConnected()) worker.send({ remit: 'metrics', id, text } satisfies ToWorker)
  }

  return {
    hear(worker, message) {
      if (message.remit === 'scrape') answer(worker, message.id).catch(() => {})
      if (message.remit !== 'measured') return
      sum.keep(worker.id, message.metrics)
      settle(worker, message.id)
    },
    depart(worker) {
      sum.depart(worker.id)
      for (const id of waiting.keys()) settle(worker, id)
    },
  }
}
