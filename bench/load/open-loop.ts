import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch, Load } from './batch.ts'
import type { Connection } from './connection.ts'

/**
 * Sends each request at its planned time (milliseconds from the start, ascending), whether or not the ones before it are
 * answered; one that finds every connection busy waits. Its latency counts from the planned time, so that waiting shows.
 */
export async function openLoop(
  connections: readonly Connection[],
  { requests, mark }: Batch,
  plan: readonly number[],
): Promise<Load> {
  const latencies = new Float64Array(requests.length)
  const idle = [...connections]
  const began = performance.now()
  let [due, next, answered] = [0, 0, 0]
  let failed: Error | undefined
  const done = Promise.withResolvers<void>()
  const send = () => {
    while (next < due && idle.length > 0) {
      const index = next
      // The one that was idle longest: else a server closes those at the end of the row.
      const connection = idle.shift()
      const request = requests[index]
      if (!connection || !request) return
      next += 1
      connection.send(request, (error, body) => {
        latencies[index] = performance.now() - began - (plan[index] ?? 0)
        failed ??= error ?? (body.includes(mark) ? undefined : new Error(`An answer of 200 has no ${mark}.`))
        if (failed) return done.reject(failed)
        idle.push(connection)
        answered += 1
        if (answered === requests.length) done.resolve()
        else send()
      })
    }
  }
  // A rejection before anybody awaits it is no accident of the process.
  done.promise.catch(() => {})
  while (due < requests.length && !failed) {
    const now = performance.now() - began
    while ((plan[due] ?? Number.POSITIVE_INFINITY) <= now) due += 1
    send()
    // The timer has a grain of one millisecond, for every peer alike.
    await sleep(1)
  }
  await done.promise
  return { elapsed: performance.now() - began, latencies }
}

/** Arrivals at random with this mean rate (a Poisson process); the same for the same seed. */
export function arrivals(count: number, perSecond: number, seed = 1): readonly number[] {
  let [state, at] = [seed, 0]
  return Array.from({ length: count }, () => {
    // Numerical Recipes' linear congruential generator: enough to spread arrivals, and repeatable.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    at -= (Math.log((state + 1) / 2 ** 32) / perSecond) * 1_000
    return at
  })
}
