import type { Reply } from './ask.ts'

/** One request of a load: when it was sent, in milliseconds since the load began, and what came of it. */
export type Shot = Pick<Reply, 'status' | 'failed' | 'ms'> & { readonly at: number }

export type Load = {
  /** Milliseconds since it began. */
  readonly now: () => number
  /** Those that were answered so far. */
  readonly shots: readonly Shot[]
  /** Sends no more, and waits for the answers under way. */
  readonly stop: () => Promise<readonly Shot[]>
}

const TICK_MS = 10

/** Sends so many requests a second, whether answers come or not: a server that is slow gets no mercy. */
export function startLoad(rate: number, send: () => Promise<Reply>): Load {
  const began = performance.now()
  const now = () => performance.now() - began
  const shots: Shot[] = []
  const underWay = new Set<Promise<void>>()
  let sent = 0
  const shoot = async () => {
    const at = now()
    const { status, failed, ms } = await send()
    shots.push({ at, status, ms, ...(failed !== undefined && { failed }) })
  }
  const timer = setInterval(() => {
    for (const due = (now() * rate) / 1000; sent < due; sent += 1) {
      const shot = shoot().finally(() => underWay.delete(shot))
      underWay.add(shot)
    }
  }, TICK_MS)
  return {
    now,
    shots,
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      return shots
    },
  }
}

/** How often each status, or code of a failure, was seen: `200: 512, 503: 3`. */
export function statuses(shots: readonly Shot[]): string {
  const counts = new Map<string, number>()
  for (const { status, failed } of shots) {
    const name = failed ?? String(status)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => `${name}: ${count}`).join(', ')
}

/** The longest that one of them took, in milliseconds. */
export function slowest(shots: readonly Shot[]): number {
  return shots.reduce((most, { ms }) => Math.max(most, ms), 0)
}

/** The shortest that one of them took, in milliseconds. */
export function fastest(shots: readonly Shot[]): number {
  return shots.reduce((least, { ms }) => Math.min(least, ms), Number.POSITIVE_INFINITY)
}
