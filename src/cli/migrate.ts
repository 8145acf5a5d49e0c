import type { Command } from 'commander'
import { startFailure } from './failure.ts'
import { openSession } from './session.ts'

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to this release (the server does so itself when it starts)')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(command)
      const { loadConfig, readEnvironment } = await import('../server/config.ts')
      const config = loadConfig(readEnvironment())
      const { withStoppedDatabase } = await import('../server/offline.ts')
      const migrated = await withStoppedDatabase(config, session.out.note, async connection => {
        const { migrateToLatest } = await import('../server/store/migrate.ts')
        const { preparePartitions } = await import('../server/store/partitions.ts')
        const names = await migrateToLatest(connection, session.out.note)
        await preparePartitions(connection, { now: session.now(), auditDays: config.auditDays })
        return names
      }).catch((error: unknown) => {
        throw startFailure(error)
      })
      const text = migrated.length === 0 ? 'The database is up to date.' : `Done: ${migrated.join(', ')}`
      session.out.result({ migrated }, text)
    })
}
