import { setTimeout } from 'node:timers/promises'
import type { Logger } from 'pino'
import { EPOCH_MARGIN } from '../protocol/time.ts'
import type { Config } from './config.ts'
import type { Context } from './context.ts'
import { openContext, type PoolSizes, type Stops } from './open-context.ts'
import { prepareBootstrapToken } from './registry/bootstrap.ts'
import type { Connection } from './store/database.ts'
import { startEmbeddedPostgres } from './store/embedded-postgres.ts'
import { migrateToLatest } from './store/migrate.ts'

export type PreparedNode = {
  readonly ctx: Context
  readonly connection: Connection
  /** Whether nobody was its administrator when it started. */
  readonly awaitsAdministrator: boolean
}

/**
 * What one process of a node does before anybody is served: the database, migrations, the end of an old epoch, the
 * one-time token. What was started is added to `stops`. Throws StartRefused.
 */
export async function prepareNode(config: Config, log: Logger, stops: Stops, pools?: PoolSizes): Promise<PreparedNode> {
  const connection = await findDatabase(config, log, stops)
  const migrate = () => migrateToLatest(connection, line => log.info(line))
  const ctx = await openContext(config, log, connection, stops, migrate, pools)
  await outliveEpoch(ctx)
  return { ctx, connection, awaitsAdministrator: await prepareBootstrapToken(ctx) }
}

async function findDatabase(config: Config, log: Logger, stops: Stops): Promise<Connection> {
  if ('url' in config.database) return { connectionString: config.database.url }
  const embedded = await startEmbeddedPostgres(config.database.dataDir, { report: line => log.info(line) })
  stops.push(() => embedded.stop())
  return embedded.connection
}

/** A restore ends an epoch some seconds ahead, so that a proof dated forward cannot be used twice either. */
async function outliveEpoch({ notBefore, now, log }: Context): Promise<void> {
  const wait = notBefore * 1000 - now().getTime()
  if (wait <= 0) return
  log.info({ seconds: Math.ceil(wait / 1000) }, 'waiting for the end of the epoch before the restore')
  await setTimeout(Math.min(wait, EPOCH_MARGIN * 1000))
}
