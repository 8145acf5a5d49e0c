import type { Context } from './context.ts'
import { rotateKeys } from './keys/rotate-keys.ts'
import { KEY_POLL_SECONDS } from './keys/rotation.ts'
import { purgeConsoleSessions } from './store/console-sessions.ts'
import { purgeDelegations } from './store/delegations.ts'
import { purgeExecutions } from './store/execution-purge.ts'
import { purgeIdempotency } from './store/idempotency.ts'
import { keepPartitions } from './store/partitions.ts'
import { purgeCounts } from './store/request-counts.ts'
import { purgeRevocations } from './store/revocations.ts'
import { purgeDeliveries } from './store/webhook-deliveries.ts'
import { deliverWebhooks } from './webhooks/deliver.ts'

type Task = { readonly name: string; readonly seconds: number; readonly run: () => Promise<void> }

/**
 * What a node does between requests. A failure is logged and tried again at the next turn; no timer keeps the process
 * alive. `stop` ends the timers and writes what was counted last.
 */
export function startMaintenance(ctx: Context): { stop: () => Promise<void> } {
  const tasks: readonly Task[] = [
    { name: 'count refusals', seconds: 1, run: () => ctx.unauthenticated.flush(ctx) },
    { name: 'exchange counts', seconds: 1, run: () => ctx.limits.exchange(ctx) },
    { name: 'deliver webhooks', seconds: 1, run: () => deliverWebhooks(ctx) },
    { name: 'keep partitions', seconds: 10, run: () => keepPartitions(ctx) },
    { name: 'read keys', seconds: KEY_POLL_SECONDS, run: () => ctx.keys.refresh() },
    { name: 'rotate keys', seconds: KEY_POLL_SECONDS, run: () => rotateKeys(ctx) },
    { name: 'purge delegations', seconds: 5, run: () => purgeDelegations(ctx) },
    { name: 'purge executions', seconds: 5, run: () => purgeExecutions(ctx) },
    { name: 'purge revocations', seconds: 60, run: () => purgeRevocations(ctx) },
    { name: 'purge webhook deliveries', seconds: 60, run: () => purgeDeliveries(ctx) },
    { name: 'purge console sessions', seconds: 60, run: () => purgeConsoleSessions(ctx) },
    { name: 'purge counts', seconds: 10, run: () => purgeCounts(ctx) },
    { name: 'purge idempotency keys', seconds: 60, run: () => purgeIdempotency(ctx, ctx.now()) },
  ]
  const running = new Map<string, Promise<void>>()

  function turn({ name, run }: Task): void {
    if (running.has(name)) return
    const done = run()
      .catch(error => ctx.log.warn({ task: name, error: error instanceof Error ? error.message : 'unknown' }, 'failed'))
      .finally(() => running.delete(name))
    running.set(name, done)
  }

  const timers = tasks.map(task => setInterval(turn, task.seconds * 1000, task).unref())
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer)
      await Promise.all(running.values())
      await ctx.unauthenticated.flush(ctx)
      await ctx.limits.exchange(ctx)
    },
  }
}
