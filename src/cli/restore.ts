import type { Command } from 'commander'
import { EPOCH_MARGIN } from '../protocol/time.ts'
import { CliFailure, startFailure } from './failure.ts'
import { gzipLines } from './gzip-lines.ts'
import { recordText } from './output.ts'
import { openSession, type Session } from './session.ts'

const HELP = `
Into an empty database (DATABASE_URL, or an empty data directory), with the servers stopped and the key-encryption key of
the backup in place. A new epoch begins: assertions, proofs and our own API's tokens signed before it are refused, and
introspection calls tokens issued before it inactive, because what was used or revoked since the backup is not known.
Revoke again what was revoked since; names given out since could be given out again.`

export function addRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('put a backup into an empty database, whole or not at all')
    .argument('<file>', 'written by "remit backup"')
    .addHelpText('after', HELP)
    .action(async (file: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const done = await restore(session, file)
      session.out.result(done, recordText(done))
    })
}

async function restore(session: Session, path: string) {
  const { loadConfig, readEnvironment } = await import('../server/config.ts')
  const { withStoppedDatabase } = await import('../server/offline.ts')
  const { restoreBackup } = await import('../server/store/restore.ts')
  const { auditRestore } = await import('../server/audit/own-events.ts')
  const { timeIdAt } = await import('../server/context.ts')
  const { checkCanary } = await import('../server/keys/canary.ts')
  const { loadKek } = await import('../server/keys/kek.ts')
  const { createSealer } = await import('../server/keys/sealing.ts')
  const config = loadConfig(readEnvironment())
  const not_before = new Date((Math.floor(session.now().getTime() / 1000) + EPOCH_MARGIN) * 1000)
  try {
    return await withStoppedDatabase(config, session.out.note, async connection => {
      // Never a new one: the rows of the backup were sealed with the key that it had.
      const sealer = createSealer(await loadKek(config, async () => true))
      const { created_at, issuer, rows } = await restoreBackup(connection, {
        lines: gzipLines(path),
        not_before,
        complete: async (db, { created_at: backup_created_at }) => {
          await checkCanary(db, sealer)
          const writer = { db, now: session.now, timeId: (at = session.now()) => timeIdAt(at) }
          await auditRestore(writer, { backup_created_at, not_before: not_before.toISOString() })
        },
        report: session.out.note,
      })
      if (issuer !== config.issuer) {
        session.out.note(`The backup was made as ${issuer}; this server calls itself ${config.issuer}.`)
      }
      return { rows, backup_created_at: created_at, not_before: not_before.toISOString() }
    })
  } catch (error) {
    if (error instanceof Error && 'code' in error && /^(ENOENT|EACCES|Z_)/.test(String(error.code))) {
      throw new CliFailure('file_unreadable', `The file ${path} cannot be read as a backup (${error.code}).`)
    }
    throw startFailure(error)
  }
}
