import type { PoolSizes } from '../open-context.ts'

/** Connections of all workers of a node together, and the least and most of each. */
const GENERAL = { together: 20, least: 2, most: 10 }
const PASS = { together: 16, least: 2, most: 6 }

/** How many connections one of so many workers holds: a node of any usual size stays below 40. */
export function poolSizes(workers: number): PoolSizes {
  return { general: share(GENERAL, workers), pass: share(PASS, workers) }
}

/** The process beside the workers purges and delivers, and mints nothing; proving the locks at start takes two. */
export const PRIMARY_POOLS: PoolSizes = { general: 2, pass: 1 }

function share({ together, least, most }: typeof GENERAL, workers: number): number {
  return Math.min(most, Math.max(least, Math.floor(together / workers)))
}
