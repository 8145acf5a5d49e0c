import { setTimeout as sleep } from 'node:timers/promises'
import type { Postmaster } from './embedded-launch.ts'
import { shutDown } from './embedded-shutdown.ts'

export type Supervised = { pid(): number | undefined; stop(): Promise<void> }

const FIRST_DELAY = 100
const LAST_DELAY = 5_000
/** Milliseconds of running after which a new crash counts as the first again. */
const STEADY_AFTER = 10_000

/**
 * Keeps a postmaster running: when it ends without `stop()`, starts it again, after 100 ms at first and at most every
 * 5 s. Rejects only when the first start fails.
 */
export async function supervise(
  launch: () => Promise<Postmaster>,
  report: (line: string) => void,
): Promise<Supervised> {
  const stopping = new AbortController()
  let delay = FIRST_DELAY
  let running: Postmaster | undefined
  let restart = Promise.resolve()

  const watch = (postmaster: Postmaster) => {
    running = postmaster
    const steady = setTimeout(() => {
      delay = FIRST_DELAY
    }, STEADY_AFTER).unref()
    postmaster.ended.then(() => {
      clearTimeout(steady)
      running = undefined
      if (!stopping.signal.aborted) restart = startAgain(postmaster.pid)
    })
  }

  const startAgain = async (pid: number) => {
    report(`Postgres ${pid} ended unexpectedly, starting it again`)
    while (!stopping.signal.aborted) {
      await sleep(delay, undefined, { signal: stopping.signal }).catch(() => {})
      delay = Math.min(delay * 2, LAST_DELAY)
      if (stopping.signal.aborted) return
      try {
        return watch(await launch())
      } catch (error) {
        report(error instanceof Error ? error.message : 'Postgres did not start')
      }
    }
  }

  watch(await launch())
  return {
    pid: () => running?.pid,
    async stop() {
      stopping.abort()
      await restart
      if (running) await shutDown(running.pid, () => running === undefined)
    },
  }
}
