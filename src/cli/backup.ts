import { open, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Command } from 'commander'
import { CliFailure, startFailure } from './failure.ts'
import { recordText } from './output.ts'
import { openSession, type Session } from './session.ts'

const HELP = `
Works beside a running server, from one snapshot. Prompts, keys and secrets in it stay sealed: keep the key-encryption key
elsewhere, without it a backup opens nothing. "remit restore" puts it back.`

export function addBackupCommand(program: Command): void {
  program
    .command('backup')
    .description('write everything that the server knows to a new file (0600)')
    .argument('<file>', 'gzip, for example remit-backup.gz')
    .addHelpText('after', HELP)
    .action(async (file: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const { rows } = await backup(session, file)
      session.out.result({ file, rows }, recordText({ file, rows }))
    })
}

async function backup(session: Session, path: string): Promise<{ rows: number }> {
  const { loadConfig, readEnvironment } = await import('../server/config.ts')
  const { withDatabase } = await import('../server/offline.ts')
  const { writeBackup } = await import('../server/store/backup.ts')
  const config = loadConfig(readEnvironment())
  const file = await openNew(path)
  const gzip = createGzip()
  const written = pipeline(gzip, file.createWriteStream({ flush: true }))
  written.catch(() => {})
  try {
    const done = await withDatabase(config, session.out.note, connection =>
      writeBackup(connection, { issuer: config.issuer, created_at: session.now() }, async lines => {
        if (!gzip.write(lines)) await Promise.race([new Promise(resolve => gzip.once('drain', resolve)), written])
      }),
    )
    gzip.end()
    await written
    return done
  } catch (error) {
    gzip.destroy()
    await rm(path, { force: true })
    throw startFailure(error)
  }
}

async function openNew(path: string) {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : 'unknown error'
    throw new CliFailure('file_unwritable', `The file ${path} cannot be made (${code}).`, {
      next: 'Name a file that does not exist yet, in a directory that you may write.',
    })
  }
}
