import { setTimeout } from 'node:timers/promises'
import type { Logger } from 'pino'
import { EPOCH_MARGIN } from '../protocol/time.ts'
import { buildApp, type Listeners } from './app.ts'
import type { Config } from './config.ts'
import type { Context } from './context.ts'
import { startMaintenance } from './maintenance.ts'
import { openContext, type Stops } from './open-context.ts'
import { prepareBootstrapToken } from './registry/bootstrap.ts'
import type { Connection } from './store/database.ts'
import { startEmbeddedPostgres } from './store/embedded-postgres.ts'
import { migrateToLatest } from './store/migrate.ts'

export type RunningServer = {
  /** Whether nobody was its administrator when it started. */
  readonly awaitsAdministrator: boolean
  /** Stops accepting, lets requests finish, then closes the database. Once is enough, more is harmless. */
  readonly stop: () => Promise<void>
}

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
    const ctx = await openContext(config, log, connection, stops, () => {
      return migrateToLatest(connection, line => log.info(line))
    })
    await outliveEpoch(ctx)
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

/** A restore ends an epoch some seconds ahead, so that a proof dated forward cannot be used twice either. */
async function outliveEpoch({ notBefore, now, log }: Context): Promise<void> {
  const wait = notBefore * 1000 - now().getTime()
  if (wait <= 0) return
  log.info({ seconds: Math.ceil(wait / 1000) }, 'waiting for the end of the epoch before the restore')
  await setTimeout(Math.min(wait, EPOCH_MARGIN * 1000))
}

/** Connections that wait to be taken: beyond them the kernel drops, and the sender tries again a second later. */
const BACKLOG = 4_096

async function listen(listeners: Listeners, config: Config, stops: Stops): Promise<void> {
  stops.push(() => listeners.public.close())
  await listeners.public.listen({ host: config.host, port: config.port, backlog: BACKLOG })
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
