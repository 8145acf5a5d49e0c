import cluster from 'node:cluster'
import { randomInt } from 'node:crypto'
import { extname, join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { RunningServer } from '../main.ts'
import { startMaintenance } from '../maintenance.ts'
import type { Metrics } from '../metrics.ts'
import type { Stops } from '../open-context.ts'
import { prepareNode } from '../prepare-node.ts'
import { stopOnce } from '../stop-once.ts'
import { gatherMetrics } from './gather-metrics.ts'
import type { ToWorker } from './messages.ts'
import { PRIMARY_POOLS } from './pool-sizes.ts'
import { fillSlot, type Slots, type WorkerSlot } from './worker-slot.ts'

/** Nodes that come by the same number take turns with each other, which is slower and nothing else. */
const MOST_TURNS = 2 ** 31

/**
 * `startServer` with several processes on the same two ports. This one, the primary, prepares the node, purges and
 * delivers; the workers answer. `settings` is the environment that `config` was read from: no worker reads it again.
 */
export async function startWorkers(
  config: Config,
  settings: Readonly<Record<string, string>>,
  log: Logger,
): Promise<RunningServer> {
  const stops: Stops = []
  const stop = stopOnce(stops, log)
  try {
    const { ctx, connection, awaitsAdministrator } = await prepareNode(config, log, stops, PRIMARY_POOLS)
    stops.push(startMaintenance(ctx, 'primary').stop)
    await openSlots(
      { remit: 'start', settings: { ...settings }, connection, turn: randomInt(MOST_TURNS) },
      { config, log, metrics: ctx.metrics, stops },
    )
    return { awaitsAdministrator, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Opened = { readonly config: Config; readonly log: Logger; readonly metrics: Metrics; readonly stops: Stops }

async function openSlots(start: ToWorker, { config, log, metrics, stops }: Opened): Promise<void> {
  // The same file beside this one, as source or compiled.
  cluster.setupPrimary({ exec: join(import.meta.dirname, `worker-entry${extname(import.meta.filename)}`), args: [] })
  const filled: WorkerSlot[] = []
  const gathered = gatherMetrics(metrics.registry, () => filled.flatMap(slot => slot.ready() ?? []))
  let stopping = false
  const slots: Slots = {
    fork: () => cluster.fork(),
    start,
    hear: gathered.hear,
    ended(worker) {
      gathered.depart(worker)
      if (!stopping) metrics.workerDeaths.inc()
    },
    drainSeconds: config.drainSeconds,
    log,
  }
  stops.push(async () => {
    stopping = true
    await Promise.all(filled.map(slot => slot.stop()))
  })
  const opening = Array.from({ length: config.workers }, async () => {
    filled.push(await fillSlot(slots))
  })
  // All that started must be known before one that did not ends them.
  const failed = (await Promise.allSettled(opening)).find(outcome => outcome.status === 'rejected')
  if (failed) throw failed.reason
}
