import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { Context } from './context.ts'
import { findEmbedded } from './diagnosis/embedded-socket.ts'
import { openContext } from './open-context.ts'
import type { Connection } from './store/database.ts'
import { startEmbeddedPostgres } from './store/embedded-postgres.ts'
import { pendingMigrations } from './store/migrate.ts'
import type { Database } from './store/schema.ts'
import { StartRefused } from './store/start-refused.ts'

type Report = (line: string) => void

/**
 * The database of the configuration for a command on its host: beside a server that runs, through the same socket;
 * else an embedded one is started for the time of `fn`. Throws StartRefused.
 */
export async function withDatabase<T>(
  { database }: Config,
  report: Report,
  fn: (connection: Connection) => Promise<T>,
): Promise<T> {
  if ('url' in database) return await fn({ connectionString: database.url })
  const found = await findEmbedded(database.dataDir)
  if (found.state === 'running') return await fn(found.connection)
  return await withStoppedDatabase({ database }, report, fn)
}

/** `withDatabase` for a command that no server may run beside: refuses where one holds the embedded database. */
export async function withStoppedDatabase<T>(
  { database }: Pick<Config, 'database'>,
  report: Report,
  fn: (connection: Connection) => Promise<T>,
): Promise<T> {
  if ('url' in database) return await fn({ connectionString: database.url })
  const postgres = await startEmbeddedPostgres(database.dataDir, { report })
  try {
    return await fn(postgres.connection)
  } finally {
    await postgres.stop()
  }
}

/** A context on a migrated database, without listening: its keys open, so this host may act on it. Throws StartRefused. */
export async function withContext<T>(config: Config, log: Logger, fn: (ctx: Context) => Promise<T>): Promise<T> {
  return await withDatabase(
    config,
    line => log.info(line),
    async connection => {
      const stops: (() => Promise<void>)[] = []
      try {
        return await fn(await openContext(config, log, connection, stops, refusePending))
      } finally {
        for (const stop of stops.toReversed()) await stop()
      }
    },
  )
}

/** A command must not migrate under the feet of servers that run an older release. */
async function refusePending(db: Kysely<Database>): Promise<void> {
  const pending = await pendingMigrations(db)
  if (pending.length === 0) return
  throw new StartRefused(
    `The database waits for ${pending.join(', ')}: run "remit migrate" or start this release's server.`,
  )
}
