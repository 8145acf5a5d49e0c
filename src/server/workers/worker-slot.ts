import type { Worker } from 'node:cluster'
import type { Logger } from 'pino'
import { DRAIN_LIMIT_SECONDS } from '../listen.ts'
import { type Refused, type ToPrimary, type ToWorker, toPrimarySchema } from './messages.ts'
import { errorOf } from './start-failure.ts'

/** One place among the workers, filled again whenever its worker ends. */
export type WorkerSlot = {
  /** The worker that is there now and answers requests. */
  readonly ready: () => Worker | undefined
  readonly stop: () => Promise<void>
}

export type Slots = {
  readonly fork: () => Worker
  /** Sent to each worker as soon as it runs. */
  readonly start: ToWorker
  /** Everything else that a worker says. */
  readonly hear: (worker: Worker, message: ToPrimary) => void
  readonly ended: (worker: Worker) => void
  readonly drainSeconds: number
  readonly log: Logger
}

const FIRST_DELAY_MS = 100
const LAST_DELAY_MS = 5_000
/** Milliseconds of serving after which a new death counts as the first again. */
const STEADY_AFTER_MS = 10_000
/** For what comes after the last request: the database closes. */
const STOP_MARGIN_SECONDS = 5

/**
 * Keeps a worker running: when it ends by itself, starts it again, after 100 ms at first and at most every 5 s. Rejects
 * only when the first does not start, with what it said.
 */
export async function fillSlot(slots: Slots): Promise<WorkerSlot> {
  const { fork, start, hear, ended, drainSeconds, log } = slots
  let running: Worker | undefined
  let ready: Worker | undefined
  let stopping = false
  let delay = FIRST_DELAY_MS
  let next: NodeJS.Timeout | undefined
  let steady: NodeJS.Timeout | undefined

  function launch(): Promise<void> {
    const worker = fork()
    running = worker
    let refused: Refused | undefined
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    worker.on('message', (message: unknown) => {
      const said = toPrimarySchema.safeParse(message).data
      if (!said) return
      if (said.remit === 'refused') {
        refused = said
        worker.process.kill('SIGKILL')
      } else if (said.remit !== 'ready') hear(worker, said)
      else {
        ready = worker
        steady = setTimeout(() => {
          delay = FIRST_DELAY_MS
        }, STEADY_AFTER_MS).unref()
        resolve()
      }
    })
    // A worker that is gone hears nothing; that it is gone comes as its exit.
    worker.on('error', () => {})
    worker.once('exit', (code, signal) => {
      clearTimeout(steady)
      running = undefined
      ready = undefined
      ended(worker)
      reject(refused ? errorOf(refused) : new Error(`A worker ended before it served (${signal ?? code}).`))
      if (!stopping) log.error({ worker: worker.process.pid, code, signal, reason: refused?.message }, 'a worker ended')
    })
    worker.once('online', () => worker.send(start))
    return promise
  }

  function refill(): void {
    if (stopping) return
    next = setTimeout(() => {
      launch().catch(() => {})
      running?.once('exit', refill)
    }, delay)
    delay = Math.min(delay * 2, LAST_DELAY_MS)
  }

  await launch()
  running?.once('exit', refill)
  return {
    ready: () => ready,
    async stop() {
      stopping = true
      clearTimeout(next)
      if (running) await stopWorker(running, running === ready, drainSeconds)
    },
  }
}

/** One that does not serve yet has nothing to finish. */
async function stopWorker(worker: Worker, serves: boolean, drainSeconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  worker.once('exit', () => resolve())
  const kill = () => void worker.process.kill('SIGKILL')
  const limit = setTimeout(kill, (drainSeconds + DRAIN_LIMIT_SECONDS + STOP_MARGIN_SECONDS) * 1000)
  if (serves) worker.send({ remit: 'stop' } satisfies ToWorker, error => error && kill())
  else kill()
  await promise
  clearTimeout(limit)
}
