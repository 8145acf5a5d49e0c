import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'

/** More than are opened between two turns; the steps and approvals of one are bounded. */
const PURGED_AT_ONCE = 2_000

/**
 * Removes executions that ended so long ago that the records of their tokens are gone too, with their steps and
 * approvals, a bounded piece at a time (index execution_by_expiry; those of steps and approvals begin with the id).
 */
export async function purgeExecutions(ctx: Context): Promise<void> {
  const before = new Date(ctx.now().getTime() - 2 * EXECUTION_LIFETIME_MAX * 1000)
  const ended = ctx.db
    .selectFrom('execution')
    .select('execution_id')
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(PURGED_AT_ONCE)
  await ctx.db.deleteFrom('execution').where('execution_id', 'in', ended).execute()
}
