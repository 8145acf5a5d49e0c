import { CLOCK_SKEW } from '../protocol/time.ts'
import type { ReplayCache } from './replay-cache.ts'

export type MemoryReplayCacheOptions = {
  /** Proofs kept at a time: 200,000 unless told, which is 2,800 calls a second and about 40 MB. */
  readonly max?: number
  readonly now?: () => Date
}

const MAX = 200_000

/**
 * Remembers used proofs in this process, and so for this process alone. When it is full of proofs that could still be
 * used it throws, and calls are refused with 503: forgetting one would let it be used again.
 */
export function memoryReplayCache(options: MemoryReplayCacheOptions = {}): ReplayCache {
  const { max = MAX, now = () => new Date() } = options
  const used = new Set<string>()
  /** The same by the second in which they end: at most some seventy of them. */
  const endings = new Map<number, string[]>()
  /** The last of these seconds that was forgotten. */
  let forgotten = Number.NEGATIVE_INFINITY

  /** Some seconds late, for a clock that is set back by a little. */
  function prune(seconds: number): void {
    for (const [end, names] of endings) {
      if (end + CLOCK_SKEW >= seconds) continue
      for (const name of names) used.delete(name)
      endings.delete(end)
      forgotten = Math.max(forgotten, end)
    }
  }

  return {
    claim({ jkt, jti, expires_at }) {
      prune(Math.floor(now().getTime() / 1000))
      // After a clock was set back nobody knows any more whether it was used.
      if (expires_at <= forgotten) return false
      const name = `${jkt} ${jti}`
      if (used.has(name)) return false
      if (used.size >= max) throw new Error('The replay cache is full.')
      used.add(name)
      const names = endings.get(expires_at)
      if (names) names.push(name)
      else endings.set(expires_at, [name])
      return true
    },
  }
}
