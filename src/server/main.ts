import type { Logger } from 'pino'
import { buildApp, type Listeners } from './app.ts'
import { createUnauthenticatedCounter } from './audit/unauthenticated.ts'
import { createBrake } from './brake.ts'
import type { Config } from './config.ts'
import { type Context, randomId, systemClock, timeIdAt } from './context.ts'
import { checkCanary } from './keys/canary.ts'
import { loadServerSecret } from './keys/derive.ts'
import { loadKek } from './keys/kek.ts'
import { openKeyring } from './keys/open-keyring.ts'
import { createSealer } from './keys/sealing.ts'
import { startMaintenance } from './maintenance.ts'
import { createMetrics } from './metrics.ts'
import { prepareBootstrapToken } from './registry/bootstrap.ts'
import { type Connection, checkServer, openDatabase } from './store/database.ts'
import { startEmbeddedPostgres } from './store/embedded-postgres.ts'
import { proveAdvisoryLocks } from './store/gate-proof.ts'
import { migrateToLatest } from './store/migrate.ts'
import { sealedRowsExist } from './store/sealing-canary.ts'

export type RunningServer = {
  /** Whether nobody was its administrator when it started. */
  readonly awaitsAdministrator: boolean
  /** Stops accepting, lets requests finish, then closes the database. Once is enough, more is harmless. */
  readonly stop: () => Promise<void>
}

/** What was started so far and how it is stopped, last first. */
type Stops = (() => Promise<void>)[]

/**
 * Starts everything and listens. Throws StartRefused with the mend in its sentence; what was started is then stopped
 * again. Losing the database later never ends the process.
 */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  const stops: Stops = []
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopAll(stops, log)
    return stopped
  }
  try {
    const connection = await findDatabase(config, log, stops)
    const ctx = await openContext(config, log, connection, stops)
    const awaitsAdministrator = await prepareBootstrapToken(ctx)
    const listeners = await buildApp(ctx)
    const maintenance = startMaintenance(ctx)
    stops.push(maintenance.stop)
    await listen(listeners, config, stops)
    return { awaitsAdministrator, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function findDatabase(config: Config, log: Logger, stops: Stops): Promise<Connection> {
  if ('url' in config.database) return { connectionString: config.database.url }
  const embedded = await startEmbeddedPostgres(config.database.dataDir, { report: line => log.info(line) })
  stops.push(() => embedded.stop())
  return embedded.connection
}

async function openContext(config: Config, log: Logger, connection: Connection, stops: Stops): Promise<Context> {
  const db = openDatabase(connection, error => log.warn({ error: textOf(error) }, 'a database connection was lost'))
  stops.push(() => db.destroy())
  await checkServer(db, config.production)
  await migrateToLatest(connection, line => log.info(line))
  await proveAdvisoryLocks(db)
  const sealer = createSealer(await loadKek(config, () => sealedRowsExist(db)))
  await checkCanary(db, sealer)
  const now = systemClock
  const keys = await openKeyring({ db, sealer, now }, await loadServerSecret(db, sealer, now()))
  return {
    config,
    db,
    keys,
    sealer,
    metrics: createMetrics(),
    brake: createBrake(),
    unauthenticated: createUnauthenticatedCounter(),
    notBefore: 0,
    log,
    now,
    randomId,
    timeId: () => timeIdAt(now()),
  }
}

async function listen(listeners: Listeners, config: Config, stops: Stops): Promise<void> {
  stops.push(() => listeners.public.close())
  await listeners.public.listen({ host: config.host, port: config.port })
  if (config.adminListen === 'same') return
  stops.push(() => listeners.admin.close())
  await listeners.admin.listen({ ...config.adminListen })
}

async function stopAll(stops: Stops, log: Logger): Promise<void> {
  for (const stop of stops.toReversed()) {
    await stop().catch(error => log.error({ error: textOf(error) }, 'a part of the server did not stop in order'))
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
