import { access, constants, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Config } from '../config.ts'
import { blockedAt, findAccount, mayExecute } from '../store/embedded-account.ts'
import { findBinaries } from '../store/embedded-binaries.ts'
import { type Check, fail, ok, unlessRefused } from './check.ts'

const OTHERS_WRITE = 0o022

/** Whether the data directory can be used; it is not made here. */
export async function checkDataDirectory({ dataDir }: Config): Promise<Check> {
  const name = 'data directory'
  const existing = await nearestExisting(dataDir)
  const { mode } = await stat(existing)
  const writable = await access(existing, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!writable) {
    return fail(name, `This user may not write in ${existing}: start as its owner, or set REMIT_DATA_DIR to another.`)
  }
  if (existing !== dataDir) return ok(name, `${dataDir} does not exist yet and is made at the first start.`)
  if ((mode & OTHERS_WRITE) !== 0) return fail(name, `Other users may write in ${dataDir}: run chmod go-w on it.`)
  return ok(name, `${dataDir} is there, and only its owner writes in it.`)
}

/** Whether the binaries of the embedded Postgres are there, complete, and can run; nothing is copied or started. */
export async function checkEmbeddedBinaries({ dataDir }: Config): Promise<Check> {
  const name = 'embedded Postgres'
  return await unlessRefused(name, async () => {
    // In our own name, so that no copy is made for another account.
    const self = { name: 'this user', uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }
    await findBinaries(dataDir, self)
    const account = await findAccount(join(dataDir, 'postgres'))
    const existing = await nearestExisting(dataDir)
    const parent = existing === dataDir ? dirname(dataDir) : existing
    const blocked = (await blockedAt(existing, account)) ?? ((await mayExecute(parent, account)) ? undefined : parent)
    if (blocked !== undefined) {
      return fail(
        name,
        `Started by root, Postgres runs as ${account.name}, which may not pass ${blocked}: set REMIT_DATA_DIR to a directory outside of it, such as /var/lib/remit.`,
      )
    }
    return ok(name, `Its binaries are installed and complete, and run as ${account.name}.`)
  })
}

async function nearestExisting(path: string): Promise<string> {
  for (let directory = path; ; directory = dirname(directory)) {
    if (directory === dirname(directory) || (await stat(directory).catch(() => undefined))) return directory
  }
}
