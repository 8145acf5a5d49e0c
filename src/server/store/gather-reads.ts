import { isReadTimeout } from './storage-trouble.ts'
import type { Meeting, Round } from './together.ts'

/**
 * Reads of one moment go together: once everything that has arrived by then was looked at, and those before are back.
 * What waited for a database that hangs does not try it after that: nobody waits for two time-outs (reliability.md R11).
 */
export function gatherReads(): Meeting {
  const queue = new Set<Round>()
  let running = 0
  let isDue = false

  function pumpSoon(): void {
    if (isDue || running > 0) return
    isDue = true
    setImmediate(pump)
  }

  function pump(): void {
    isDue = false
    for (const round of queue) {
      queue.delete(round)
      running += 1
      void round.run().then(cause => {
        running -= 1
        if (isReadTimeout(cause)) failAll(cause)
        if (queue.size > 0) pumpSoon()
      })
    }
  }

  function failAll(cause: unknown): void {
    for (const round of queue) {
      queue.delete(round)
      round.fail(cause)
    }
  }

  return {
    group: {},
    arrive(round) {
      queue.add(round)
      pumpSoon()
    },
    end() {
      throw new Error('Reads have no commit.')
    },
  }
}
