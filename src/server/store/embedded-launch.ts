import type { ChildProcess } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, spawnAs } from './embedded-account.ts'
import { StartRefused } from './start-refused.ts'

export type LaunchSettings = {
  readonly cluster: string
  readonly socketDir: string
  readonly port: number
  readonly logFile: string
}

/** A postmaster that is ready, and the promise that it has ended. */
export type Postmaster = { readonly pid: number; readonly ended: Promise<void> }

const POLL_MILLISECONDS = 20
/** Recovery after a crash may have much to replay. */
const READY_WITHIN_POLLS = 6_000

/** Starts the postmaster and waits until it takes connections. Throws StartRefused with the end of its log. */
export async function launchPostgres(binary: string, settings: LaunchSettings, account: Account): Promise<Postmaster> {
  const log = await open(settings.logFile, 'a', 0o600)
  let child: ChildProcess
  try {
    // Detached: a Ctrl-C at the terminal must reach us, not Postgres, so that requests under way can still finish.
    child = spawnAs(account, binary, argumentsOf(settings), { detached: true, stdio: ['ignore', log.fd, log.fd] })
  } finally {
    await log.close()
  }
  const ended = new Promise<void>(resolve => child.once('error', () => resolve()).once('exit', () => resolve()))
  let hasEnded = false
  ended.then(() => {
    hasEnded = true
  })
  for (let poll = 0; poll < READY_WITHIN_POLLS && !hasEnded; poll += 1) {
    if (child.pid !== undefined && (await isReady(settings.cluster, child.pid))) return { pid: child.pid, ended }
    await Promise.race([ended, sleep(POLL_MILLISECONDS)])
  }
  if (!hasEnded) child.kill('SIGQUIT')
  throw new StartRefused(
    `The embedded Postgres did not start (see ${settings.logFile}): ${await endOf(settings.logFile)}`,
  )
}

function argumentsOf({ cluster, socketDir, port }: LaunchSettings): string[] {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socketDir,
    unix_socket_permissions: '0700',
    port: String(port),
    // Failed statements are ours to report; the log is for what happens to the server.
    log_min_messages: 'log',
    log_checkpoints: 'off',
  }
  return ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/** The postmaster writes its state into line 8 of its pid file (PostgreSQL, pidfile.h). */
async function isReady(cluster: string, pid: number): Promise<boolean> {
  const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}

async function endOf(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n')
  return lines.slice(-3).join(' ') || 'it wrote nothing, which means that its binaries do not run on this system.'
}
