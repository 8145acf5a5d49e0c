import type { Meeting, Round } from './together.ts'

/**
 * Reads of one moment go together: once everything that has arrived by then was looked at, and those before are back.
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
      round.run().finally(() => {
        running -= 1
        if (queue.size > 0) pumpSoon()
      })
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
