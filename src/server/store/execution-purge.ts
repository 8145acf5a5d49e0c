import { EXECUTION_LIFETIME_MAX } from '../../protocol/time.ts'
import type { Context } from '../context.ts'

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
    .limit(500)
  await ctx.db.deleteFrom('execution').where('execution_id', 'in', ended).execute()
}
