import type { Attempt } from '../attacks/attempt.ts'

/** An attempt without what would authenticate it. */
export function bare(attempt: Attempt): Attempt {
  const { assertion: _, ...rest } = attempt
  return { ...rest, client: { ...attempt.client } }
}
