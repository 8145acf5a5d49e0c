import type { Kysely } from 'kysely'
import type { ClockCheck } from './clock-check.ts'
import type { PoolStats } from './store/database.ts'
import type { Database } from './store/schema.ts'

/** Turns of a second in which somebody waits for a connection and nobody gets one, before the pool counts as stuck. */
const STUCK_TURNS = 5

/** What a node knows of itself: whether it should get traffic (reliability.md R7, R11, R14). */
export type NodeHealth = {
  /** From the first signal on: the node answers what still comes, and asks for no more. */
  readonly startDraining: () => void
  readonly isDraining: () => boolean
  readonly clock: ClockCheck
  /** To be called every second with the same pools: whether each still hands out connections. */
  readonly watchPools: (pools: readonly PoolStats[]) => void
  readonly isPoolStuck: () => boolean
  /** A connection that requests do not share: a probe must not wait behind them. */
  readonly probe: Kysely<Database>
}

export function createNodeHealth({ clock, probe }: Pick<NodeHealth, 'clock' | 'probe'>): NodeHealth {
  let draining = false
  let watched: readonly { readonly handedOut: number; readonly turns: number }[] = []
  return {
    startDraining() {
      draining = true
    },
    isDraining: () => draining,
    clock,
    watchPools(pools) {
      watched = pools.map(({ waiting, acquired }, n) => {
        const { handedOut = 0, turns = 0 } = watched[n] ?? {}
        return { handedOut: acquired, turns: waiting > 0 && acquired === handedOut ? turns + 1 : 0 }
      })
    },
    isPoolStuck: () => watched.some(({ turns }) => turns >= STUCK_TURNS),
    probe,
  }
}
