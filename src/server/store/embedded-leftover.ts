import { execFile } from 'node:child_process'
import { readFile, readlink, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isAlive, shutDown } from './embedded-shutdown.ts'
import { StartRefused } from './start-refused.ts'

/**
 * Stops the Postgres that a killed server left behind. Only for the holder of the data directory. Throws StartRefused
 * when it does not end.
 */
export async function stopLeftover(cluster: string, report: (line: string) => void): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid')
  const text = await readFile(pidFile, 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  if (!(pid > 0) || !isAlive(pid)) return
  if (!(await servesCluster(pid, cluster))) return await disownPidFile(pidFile, text)
  report(`stopping Postgres ${pid}, which a killed server left behind`)
  if (!(await shutDown(pid, () => !isAlive(pid)))) {
    throw new StartRefused(`Postgres ${pid} still runs on ${cluster} and does not end: end it and start again.`)
  }
}

/** A postmaster works in its data directory; a number alone could be any process by now. */
async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const directory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined)
    return directory === (await realpath(cluster))
  }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }))
  return stdout.includes(cluster)
}

/**
 * The number in the pid file belongs to another process now (usual after a container restart), and Postgres would take
 * that for a running postmaster. It knows that its parent is none: our own number lets it start, and it still checks
 * by shared memory that no backend of the old one lives, which removing the file would skip.
 */
async function disownPidFile(pidFile: string, text: string): Promise<void> {
  await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)))
}
