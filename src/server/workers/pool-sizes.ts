import type { PoolSizes } from '../open-context.ts'

/** Connections of all workers of a node together, and the least and most of each. */
const GENERAL = { together: 20, least: 2, most: 10 }
const PASS = { together: 16, least: 3, most: 6 }

/** How many connections of these two pools one of so many workers may hold; seven more are for what may be slow. */
export function poolSizes(workers: number): PoolSizes {
  return { general: share(GENERAL, workers), pass: share(PASS, workers) }
}

/** The process beside the workers purges and delivers, and mints nothing; proving the locks at start takes two. */
export const PRIMARY_POOLS: PoolSizes = { general: 2, pass: 1 }

function share({ together, least, most }: typeof GENERAL, workers: number): number {
  return Math.min(most, Math.max(least, Math.floor(together / workers)))
}
