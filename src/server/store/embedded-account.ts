import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { chown, readFile, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StartRefused } from './start-refused.ts'

/** The user under whom the Postgres binaries run: they refuse root. */
export type Account = { readonly name: string; readonly uid: number; readonly gid: number }

const CANDIDATES = ['postgres', 'nobody']

/**
 * Who runs the binaries: ourselves, or, when we are root, the owner of an existing cluster, else an unprivileged
 * account that the machine already has. No account is created. Throws StartRefused.
 */
export async function findAccount(cluster: string): Promise<Account> {
  const uid = process.getuid?.() ?? -1
  const gid = process.getgid?.() ?? -1
  const owner = await stat(cluster).catch(() => undefined)
  if (uid !== 0) {
    if (owner && owner.uid !== uid) {
      throw new StartRefused(
        `The database in ${cluster} belongs to another user (uid ${owner.uid}): start as that user or as root, or set REMIT_DATA_DIR to another directory.`,
      )
    }
    return { name: `uid ${uid}`, uid, gid }
  }
  if (owner && owner.uid !== 0) return { name: `uid ${owner.uid}`, uid: owner.uid, gid: owner.gid }
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const accounts = CANDIDATES.flatMap(name => accountsNamed(name, passwd))
  const [account] = accounts.filter(candidate => candidate.uid !== 0)
  if (!account) {
    throw new StartRefused(
      'Postgres does not run as root and this machine has neither an account "postgres" nor "nobody": start as another user, or set DATABASE_URL.',
    )
  }
  return account
}

/** Runs a binary as the account. It gets nothing of our environment, which may hold secrets. */
export function spawnAs(
  { uid, gid }: Account,
  command: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'detached' | 'stdio'>,
): ChildProcess {
  const identity = process.getuid?.() === 0 ? { uid, gid } : {}
  return spawn(command, args, { ...options, ...identity, cwd: '/', env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' } })
}

/** Gives a file or directory to the account; only root needs to, and only root can. */
export async function giveTo(account: Account, path: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, account.uid, account.gid)
}

/** The first directory on the way to `path` that the account may not pass, if any. */
export async function blockedAt(path: string, account: Account): Promise<string | undefined> {
  const ancestors: string[] = []
  for (let directory = dirname(await realpath(path)); ; directory = dirname(directory)) {
    ancestors.unshift(directory)
    if (directory === dirname(directory)) break
  }
  for (const directory of ancestors) {
    if (!(await mayExecute(directory, account))) return directory
  }
  return undefined
}

/** Whether the mode bits let the account run a file or pass a directory. */
export async function mayExecute(path: string, account: Account): Promise<boolean> {
  const { mode, uid, gid } = await stat(path)
  if (uid === account.uid) return (mode & 0o100) !== 0
  return gid === account.gid ? (mode & 0o010) !== 0 : (mode & 0o001) !== 0
}

function accountsNamed(name: string, passwd: string): Account[] {
  const fields = passwd.split('\n').map(line => line.split(':'))
  const found = fields.filter(([login]) => login === name)
  // macOS writes nobody as -2.
  return found.map(([, , uid, gid]) => ({ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }))
}
