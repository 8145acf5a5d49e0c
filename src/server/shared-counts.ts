import type { Context } from './context.ts'
import { addCounts, type CountedSince } from './store/request-counts.ts'

/** How many of one kind, of one key, fit into a minute at all nodes together. */
export type Quota = {
  readonly name: string
  readonly a_minute: number
  /** Below this many in a minute a process keeps its count to itself: most keys cost no write at all. */
  readonly share_from: number
}

/**
 * Counts by key in memory, which the processes exchange once a second, so that a quota holds over all of them with no
 * write a request. A process hears of a key in the second after it counted something of it: what comes in until then,
 * at each of them, may be too much.
 */
export type SharedCounts = {
  readonly add: (quota: Quota, key: string) => void
  /** Seconds until one more fits; 0 where it does now. */
  readonly wait: (quota: Quota, key: string) => number
  /** Tells the others and hears of them, in one statement. Where it fails each process goes on with what it knows. */
  readonly exchange: (ctx: Context) => Promise<void>
}

type Count = {
  minute: number
  /** Of all nodes, as last heard, with what was told by this one. */
  known: number
  /** Not told yet. */
  own: number
  before: number
  readonly share_from: number
}

const MINUTE = 60_000
/** Some 10 MB. Past it the key that was idle longest is forgotten. */
const MOST_KEYS = 50_000
/** The largest first; the rest waits for the next second. */
const MOST_TOLD = 1_000

export function createSharedCounts(now: () => Date): SharedCounts {
  const counts = new Map<string, Count>()

  function current(counted: string, minute: number): Count | undefined {
    const count = counts.get(counted)
    if (count && count.minute !== minute) {
      count.before = count.minute === minute - 1 ? count.known + count.own : 0
      Object.assign(count, { minute, known: 0, own: 0 })
    }
    return count
  }

  function add(quota: Quota, key: string): void {
    const counted = `${quota.name} ${key}`
    const minute = Math.floor(now().getTime() / MINUTE)
    const count = current(counted, minute) ?? { minute, known: 0, own: 0, before: 0, share_from: quota.share_from }
    count.own += 1
    // Last in the order is who was touched last.
    counts.delete(counted)
    counts.set(counted, count)
    if (counts.size > MOST_KEYS) for (const oldest of counts.keys()) return void counts.delete(oldest)
  }

  function wait(quota: Quota, key: string): number {
    const time = now().getTime()
    const count = current(`${quota.name} ${key}`, Math.floor(time / MINUTE))
    return count ? secondsUntilFree(quota.a_minute, count.known + count.own, count.before, (time % MINUTE) / 1000) : 0
  }

  async function exchange(ctx: Context): Promise<void> {
    const minute = Math.floor(now().getTime() / MINUTE)
    const changed: CountedSince[] = []
    for (const [counted, count] of counts) {
      if (count.minute < minute - 1) counts.delete(counted)
      const isDue = count.minute === minute && count.own > 0 && count.known + count.own >= count.share_from
      if (isDue) changed.push({ counted, minute_at: new Date(minute * MINUTE), n: count.own })
    }
    if (changed.length === 0) return
    const told = changed.toSorted((a, b) => b.n - a.n).slice(0, MOST_TOLD)
    const sent = new Map(told.map(({ counted, n }) => [counted, n]))
    for (const { counted, n, before } of await addCounts(ctx, told)) {
      const count = counts.get(counted)
      if (count?.minute !== minute) continue
      count.own -= sent.get(counted) ?? 0
      count.known = n
      count.before = Math.max(count.before, before)
    }
  }

  return { add, wait, exchange }
}

/**
 * A minute that slides: of the one before, the part counts that is less than a minute ago. @returns whole seconds until
 * the sum falls below `most`, at most 60
 */
export function secondsUntilFree(most: number, n: number, before: number, elapsed: number): number {
  if (n + before * (1 - elapsed / 60) < most) return 0
  // Where this minute alone is too much, it must be the one before first.
  const seconds = n < most ? 60 * (1 - (most - n) / before) - elapsed : 60 - elapsed + 60 * (1 - most / n)
  return Math.min(60, Math.max(1, Math.ceil(seconds)))
}
