import type { Context } from './context.ts'
import { rotateKeys } from './keys/rotate-keys.ts'
import { KEY_POLL_SECONDS } from './keys/rotation.ts'
import { purgeConsoleSessions } from './store/console-sessions.ts'
import { poolStats } from './store/database.ts'
import { purgeDelegations } from './store/delegations.ts'
import { purgeExecutions } from './store/execution-purge.ts'
import { purgeIdempotency } from './store/idempotency.ts'
import { keepPartitions } from './store/partitions.ts'
import { purgeCounts } from './store/request-counts.ts'
import { purgeRevocations } from './store/revocations.ts'
import { purgeDeliveries } from './store/webhook-deliveries.ts'
import { deliverWebhooks } from './webhooks/deliver.ts'

type Task = { readonly name: string; readonly seconds: number; readonly run: () => Promise<void> }

/** A process that does everything, one of several that answer requests, or the one beside these that does not. */
export type Part = 'whole' | 'worker' | 'primary'

/**
 * What a node does between requests. A failure is logged and tried again at the next turn; no timer keeps the process
 * alive. `stop` ends the timers and writes what was counted last.
 */
export function startMaintenance(ctx: Context, part: Part = 'whole'): { stop: () => Promise<void> } {
  const tasks: readonly Task[] = [
    { name: 'compare clocks', seconds: 1, run: () => ctx.node.clock.tick() },
    ...(part === 'primary' ? [] : ofEachProcess(ctx)),
    ...(part === 'worker' ? [] : ofEachNode(ctx).map(task => unlessClockStopped(ctx, task))),
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

/** What lies in the memory of each process that answers requests. */
function ofEachProcess(ctx: Context): readonly Task[] {
  return [
    { name: 'count refusals', seconds: 1, run: () => ctx.unauthenticated.flush(ctx) },
    { name: 'exchange counts', seconds: 1, run: () => ctx.limits.exchange(ctx) },
    { name: 'read keys', seconds: KEY_POLL_SECONDS, run: () => ctx.keys.refresh() },
    { name: 'watch the pool', seconds: 1, run: async () => ctx.node.watchPools([ctx.db, ctx.passDb].map(poolStats)) },
  ]
}

/** What lies in the database: one process of a node is enough, and several nodes may do it at once. */
function ofEachNode(ctx: Context): readonly Task[] {
  return [
    { name: 'deliver webhooks', seconds: 1, run: () => deliverWebhooks(ctx) },
    { name: 'rotate keys', seconds: KEY_POLL_SECONDS, run: () => rotateKeys(ctx) },
    { name: 'keep partitions', seconds: 10, run: () => keepPartitions(ctx) },
    { name: 'purge delegations', seconds: 5, run: () => purgeDelegations(ctx) },
    { name: 'purge executions', seconds: 5, run: () => purgeExecutions(ctx) },
    { name: 'purge revocations', seconds: 60, run: () => purgeRevocations(ctx) },
    { name: 'purge webhook deliveries', seconds: 60, run: () => purgeDeliveries(ctx) },
    { name: 'purge console sessions', seconds: 60, run: () => purgeConsoleSessions(ctx) },
    { name: 'purge counts', seconds: 10, run: () => purgeCounts(ctx) },
    { name: 'purge idempotency keys', seconds: 60, run: () => purgeIdempotency(ctx, ctx.now()) },
  ]
}

/** By a clock that is far ahead, a purge would forget single uses that other nodes still have to refuse. */
function unlessClockStopped(ctx: Context, { run, ...task }: Task): Task {
  return {
    ...task,
    async run() {
      await ctx.node.clock.tick()
      if (ctx.node.clock.judgement() !== 'stopped') await run()
    },
  }
}
