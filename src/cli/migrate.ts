import type { Command } from 'commander'
import type { Config } from '../server/config.ts'
import type { Connection } from '../server/store/database.ts'
import { startFailure } from './failure.ts'
import { openSession, type Session } from './session.ts'

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to this release (the server does so itself when it starts)')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(command)
      const { loadConfig, readEnvironment } = await import('../server/config.ts')
      const config = loadConfig(readEnvironment())
      const migrated = await onDatabase(session, config, async connection => {
        const { migrateToLatest } = await import('../server/store/migrate.ts')
        return await migrateToLatest(connection, session.out.note)
      }).catch((error: unknown) => {
        throw startFailure(error)
      })
      const text = migrated.length === 0 ? 'The database is up to date.' : `Done: ${migrated.join(', ')}`
      session.out.result({ migrated }, text)
    })
}

/** The database of the configuration; an embedded one is started for the time of `fn`. Throws StartRefused. */
async function onDatabase<T>(session: Session, { database }: Config, fn: (connection: Connection) => Promise<T>) {
  if ('url' in database) return await fn({ connectionString: database.url })
  const { startEmbeddedPostgres } = await import('../server/store/embedded-postgres.ts')
  const postgres = await startEmbeddedPostgres(database.dataDir, { report: session.out.note })
  try {
    return await fn(postgres.connection)
  } finally {
    await postgres.stop()
  }
}
