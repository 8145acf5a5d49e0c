import { chmod, lstat, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, giveTo } from './embedded-account.ts'
import { StartRefused } from './start-refused.ts'

/** Only a part of the socket's file name: nothing listens on TCP. */
export const SOCKET_PORT = 5432
/** sun_path has 104 bytes on macOS and 108 on Linux, with the closing NUL. */
const MAX_SOCKET_PATH = 103
const NOTE = 'postgres-socket-dir'

/**
 * A directory that only the account may enter, with a path short enough for a socket: in the data directory, else a
 * fresh one for temporary files, which the data directory remembers.
 */
export async function prepareSocketDir(dataDir: string, account: Account): Promise<string> {
  const near = join(dataDir, 'postgres-socket')
  if (fits(near)) {
    await mkdir(near, { recursive: true, mode: 0o700 })
    await giveTo(account, near)
    await chmod(near, 0o700)
    return near
  }
  const note = join(dataDir, NOTE)
  const remembered = (await readFile(note, 'utf8').catch(() => '')).trim()
  if (remembered && (await isPrivateTo(account, remembered))) return remembered
  const far = await mkdtemp(join(tmpdir(), 'remit-'))
  if (!fits(far)) throw new StartRefused('TMPDIR and REMIT_DATA_DIR are both too long for a UNIX socket: shorten one.')
  await giveTo(account, far)
  await writeFile(note, `${far}\n`, { mode: 0o600 })
  return far
}

function fits(directory: string): boolean {
  return Buffer.byteLength(join(directory, `.s.PGSQL.${SOCKET_PORT}.lock`)) <= MAX_SOCKET_PATH
}

/** A directory in a shared place may have been replaced since we made it. */
async function isPrivateTo(account: Account, directory: string): Promise<boolean> {
  const found = await lstat(directory).catch(() => undefined)
  return found?.isDirectory() === true && found.uid === account.uid && (found.mode & 0o777) === 0o700
}

/** After a clean stop nothing stays outside of the data directory. */
export async function removeSocketDir(dataDir: string, socketDir: string): Promise<void> {
  if (socketDir.startsWith(join(dataDir, '/'))) return
  await rm(socketDir, { recursive: true, force: true })
  await rm(join(dataDir, NOTE), { force: true })
}
