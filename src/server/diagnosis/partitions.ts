import type { Kysely } from 'kysely'
import { overdueOf, partitionName } from '../store/partition-plan.ts'
import { missingPartitions } from '../store/partitions.ts'
import type { Database } from '../store/schema.ts'
import { type Check, ok, warn } from './check.ts'

/** Whether what is written next has a place. A database whose migrations wait has none yet, and that is said elsewhere. */
export async function checkPartitions(
  db: Kysely<Database>,
  instant: { readonly now: Date; readonly auditDays: number | undefined },
): Promise<Check> {
  const name = 'partitions'
  const overdue = await missingPartitions(db, instant, overdueOf)
  if (overdue.length === 0) return ok(name, 'Every table has its partitions for what comes next.')
  return warn(
    name,
    `Not yet made: ${overdue.slice(0, 3).map(partitionName).join(', ')}${overdue.length > 3 ? ` and ${overdue.length - 3} more` : ''}. A start makes them, and so does a server that runs: if one does, see its log.`,
  )
}
