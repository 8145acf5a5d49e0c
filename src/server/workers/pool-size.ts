/** Connections of one process that serves alone, and of all workers of a node together, as far as each keeps enough. */
const ALONE = 10
const TOGETHER = 30
const LEAST = 3

/** How many database connections one of so many workers holds: three nodes of ten workers fit a default Postgres. */
export function poolSize(workers: number): number {
  return Math.min(ALONE, Math.max(LEAST, Math.floor(TOGETHER / workers)))
}

/** The process beside the workers purges and delivers; proving the locks at start takes two. */
export const PRIMARY_POOL_SIZE = 2
