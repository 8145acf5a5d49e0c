import type { Context } from '../context.ts'
import { auditUnauthenticated } from './own-events.ts'

export type UnauthenticatedRefusal = { readonly endpoint: string; readonly reason: string; readonly address: string }

/** Refusals that nobody was authenticated for, counted in memory: a flood must not become a flood of rows. */
export type UnauthenticatedCounter = {
  readonly count: (refusal: UnauthenticatedRefusal) => void
  /** Writes what was counted since the last call as one row; keeps it where the write fails. */
  readonly flush: (ctx: Context) => Promise<void>
}

/** Past this many different causes in one second the addresses are no longer told apart. */
const MAX_CAUSES = 500

export function createUnauthenticatedCounter(): UnauthenticatedCounter {
  let counts = new Map<string, UnauthenticatedRefusal & { n: number }>()

  function add(refusal: UnauthenticatedRefusal, n: number): void {
    const key = JSON.stringify([refusal.endpoint, refusal.reason, refusal.address])
    const known = counts.get(key)
    if (known) known.n += n
    else if (counts.size < MAX_CAUSES || refusal.address === 'other') counts.set(key, { ...refusal, n })
    else add({ ...refusal, address: 'other' }, n)
  }

  return {
    count: refusal => add(refusal, 1),
    async flush(ctx) {
      if (counts.size === 0) return
      const pending = counts
      counts = new Map()
      try {
        await auditUnauthenticated(ctx, [...pending.values()])
      } catch (error) {
        for (const { n, ...refusal } of pending.values()) add(refusal, n)
        throw error
      }
    },
  }
}
