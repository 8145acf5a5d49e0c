import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StartRefused } from './start-refused.ts'

const BUSY = 5

/**
 * Makes this process the one holder of a data directory, and returns how to let go. The lock is the kernel's (a record
 * lock, taken through SQLite because Node has no call for it): it ends with the process however that dies, so no
 * stale lock is ever judged by a pid that may be someone else's by now. Throws StartRefused naming the holder.
 */
export function holdDirectory(dataDir: string): () => void {
  const pidFile = join(dataDir, 'server.pid')
  const lock = openLock(join(dataDir, 'server.lock'), dataDir, pidFile)
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o644 })
  return () => {
    rmSync(pidFile, { force: true })
    lock.close()
  }
}

function openLock(path: string, dataDir: string, pidFile: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    // Empty for ever; only its owner may open it, since any reader could hold a lock of his own.
    writeFileSync(path, '', { flag: 'a', mode: 0o600 })
    lock = new DatabaseSync(path, { timeout: 0 })
    lock.exec('begin exclusive')
    return lock
  } catch (error) {
    lock?.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) {
      throw new StartRefused(
        `The data directory ${dataDir} is in use by process ${holderOf(pidFile)}: end that server, or give this one another REMIT_DATA_DIR or a DATABASE_URL.`,
      )
    }
    throw new StartRefused(
      `The data directory ${dataDir} cannot be locked by this user: start as the user who made it, or set REMIT_DATA_DIR to another.`,
    )
  }
}

function holderOf(pidFile: string): string {
  try {
    return readFileSync(pidFile, 'utf8').trim()
  } catch {
    return '(starting)'
  }
}
