import { Worker } from 'node:worker_threads'

/** What the flood sends: so many a second, of these clients, each from an address of its own. */
export type FloodOrder = {
  readonly issuer: string
  readonly privateKey: string
  readonly clients: readonly string[]
  readonly addresses: readonly string[]
  readonly rate: number
  readonly seconds: number
  /** So many in flight instead of a rate: how much the server can. */
  readonly closed?: number
}

export type FloodReport = {
  readonly sent: number
  readonly tokenMs: readonly number[]
  /** 429 and 503 with Retry-After, because it was too much. */
  readonly refusalMs: readonly number[]
  /** 503 with Retry-After, because the database did not answer in time. */
  readonly troubleMs: readonly number[]
  /** Whatever else was answered. */
  readonly others: readonly string[]
}

export type Flood = {
  /** Resolves when everything is signed. */
  readonly ready: Promise<void>
  readonly go: () => Promise<FloodReport>
}

/** In a thread of its own, so that what is measured beside it is not its own waiting. */
export function prepareFlood(order: FloodOrder): Flood {
  const worker = new Worker(new URL('./flood-worker.ts', import.meta.url), { workerData: order })
  const ready = Promise.withResolvers<void>()
  const done = Promise.withResolvers<FloodReport>()
  worker.on('message', (message: 'ready' | FloodReport) =>
    message === 'ready' ? ready.resolve() : done.resolve(message),
  )
  worker.on('error', error => {
    ready.reject(error)
    done.reject(error)
  })
  return {
    ready: ready.promise,
    async go() {
      worker.postMessage('go')
      const report = await done.promise
      await worker.terminate()
      return report
    },
  }
}
