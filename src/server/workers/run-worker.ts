import { destination, pino } from 'pino'
import { loadConfig } from '../config.ts'
import { listen } from '../listen.ts'
import { startMaintenance } from '../maintenance.ts'
import { openContext, type Stops } from '../open-context.ts'
import { stopOnce } from '../stop-once.ts'
import { type ToPrimary, type ToWorker, toWorkerSchema } from './messages.ts'
import { poolSizes } from './pool-sizes.ts'
import { scrapeAtPrimary } from './scrape-at-primary.ts'
import { refusedOf } from './start-failure.ts'

/** Serves as the primary says, until it says stop or is gone: node:cluster ends a worker that lost it. */
export function runWorker(tell: (message: ToPrimary) => void): void {
  // A terminal and some supervisors signal the whole group: in which order a node stops is the primary's to say.
  process.on('SIGTERM', () => {})
  process.on('SIGINT', () => {})
  process.on('message', (message: unknown) => {
    const said = toWorkerSchema.safeParse(message).data
    if (said?.remit === 'start') serve(said, tell).catch(error => tell(refusedOf(error)))
  })
}

async function serve(
  { settings, connection, turn }: Extract<ToWorker, { remit: 'start' }>,
  tell: (message: ToPrimary) => void,
): Promise<void> {
  const config = loadConfig(settings)
  const log = pino({ level: config.logLevel }, destination(2))
  const stops: Stops = []
  // The primary migrated. Meanwhile the release after this one may have done more, which this one goes on beside.
  const share = { ...poolSizes(config.workers), turn }
  const ctx = await openContext(config, log, connection, stops, async () => {}, share)
  stops.push(startMaintenance(ctx, 'worker').stop)
  const scraped = scrapeAtPrimary(ctx, tell)
  await listen(scraped.ctx, stops)
  const stop = stopOnce(stops, log)
  process.on('message', (message: unknown) => {
    if (toWorkerSchema.safeParse(message).data?.remit === 'stop') stop().then(() => process.exit(0))
  })
  tell({ remit: 'ready' })
}
