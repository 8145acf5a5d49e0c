import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import pg from 'pg'
import type { Connection } from './database.ts'
import { type Account, blockedAt, findAccount, giveTo, mayExecute, spawnAs } from './embedded-account.ts'
import { type Binaries, findBinaries } from './embedded-binaries.ts'
import { launchPostgres } from './embedded-launch.ts'
import { stopLeftover } from './embedded-leftover.ts'
import { holdDirectory } from './embedded-lock.ts'
import { prepareSocketDir, removeSocketDir, SOCKET_PORT } from './embedded-socket.ts'
import { supervise } from './embedded-supervisor.ts'
import { StartRefused } from './start-refused.ts'

export type EmbeddedPostgres = {
  readonly socketDir: string
  readonly port: number
  readonly user: 'remit'
  readonly database: 'remit'
  readonly connection: Connection
  /** Of the running postmaster; absent while it is being restarted. */
  pid(): number | undefined
  /** Shuts Postgres down in order, then lets go of the data directory. */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  /** Hears one line for what takes time or went wrong: first set-up, restarts. */
  readonly report?: (line: string) => void
}

const NAMES = { user: 'remit', database: 'remit' } as const

/**
 * Runs a real Postgres in a data directory: UNIX socket only, one holder, kept alive until `stop()` (architecture.md
 * section 1). Initialises the directory at first use. Throws StartRefused with the mend in the sentence.
 */
export async function startEmbeddedPostgres(
  directory: string,
  options: EmbeddedOptions = {},
): Promise<EmbeddedPostgres> {
  const { report = () => {} } = options
  const dataDir = resolve(directory)
  if (process.platform === 'win32') {
    throw new StartRefused('The embedded Postgres does not run on Windows: set DATABASE_URL.')
  }
  await prepareDataDir(dataDir)
  const release = holdDirectory(dataDir)
  try {
    const cluster = join(dataDir, 'postgres')
    const account = await findAccount(cluster)
    if (account.name === 'nobody')
      report('Postgres runs as nobody: any other process of that account can open this database')
    await checkPassable(dataDir, account)
    const binaries = await findBinaries(dataDir, account)
    await stopLeftover(cluster, report)
    await initialise(cluster, binaries, account, report)
    const socketDir = await prepareSocketDir(dataDir, account)
    const settings = { cluster, socketDir, port: SOCKET_PORT, logFile: join(dataDir, 'postgres.log') }
    const postgres = await supervise(() => launchPostgres(binaries.postgres, settings, account), report)
    const server = { host: socketDir, port: SOCKET_PORT, user: NAMES.user }
    try {
      await createDatabase(server)
    } catch (error) {
      await postgres.stop()
      throw error
    }
    return {
      ...NAMES,
      socketDir,
      port: SOCKET_PORT,
      connection: { ...server, database: NAMES.database },
      pid: postgres.pid,
      async stop() {
        await postgres.stop()
        await removeSocketDir(dataDir, socketDir)
        release()
      },
    }
  } catch (error) {
    release()
    throw error
  }
}

/** Others may pass the directory, as the account of the binaries must, but not list it; what is in it guards itself. */
async function prepareDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o711 })
  } catch {
    throw new StartRefused(`The data directory ${dataDir} cannot be made by this user: set REMIT_DATA_DIR to another.`)
  }
  const { mode, uid } = await stat(dataDir)
  if (process.getuid?.() === 0 && uid === 0) await chmod(dataDir, (mode & 0o7777) | 0o011)
}

async function checkPassable(dataDir: string, account: Account): Promise<void> {
  const blocked = (await blockedAt(dataDir, account)) ?? ((await mayExecute(dataDir, account)) ? undefined : dataDir)
  if (blocked) {
    throw new StartRefused(
      `Started by root, Postgres runs as ${account.name}, which may not pass ${blocked}: set REMIT_DATA_DIR to a directory outside of it, such as /var/lib/remit.`,
    )
  }
}

/** Made beside its place and moved there when complete: a first start that is cut short leaves nothing half done. */
async function initialise(
  cluster: string,
  binaries: Binaries,
  account: Account,
  report: (line: string) => void,
): Promise<void> {
  if (await stat(cluster).catch(() => undefined)) return
  report('setting up the embedded Postgres (once, some seconds)')
  const unfinished = `${cluster}.new`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  await giveTo(account, unfinished)
  await run(
    binaries.initdb,
    [
      `--pgdata=${unfinished}`,
      `--username=${NAMES.user}`,
      '--encoding=UTF8',
      '--locale=C',
      '--auth-local=trust',
      '--auth-host=reject',
      '--no-instructions',
    ],
    account,
  )
  await rename(unfinished, cluster)
}

async function run(command: string, args: readonly string[], account: Account): Promise<void> {
  const child = spawnAs(account, command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', text => {
    complaint = `${complaint}${text}`.slice(-1_000)
  })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) {
    throw new StartRefused(`The embedded Postgres could not be set up: ${complaint.trim().replaceAll('\n', ' ')}`)
  }
}

async function createDatabase(server: { host: string; port: number; user: string }): Promise<void> {
  const client = new pg.Client({ ...server, database: 'postgres', ssl: false, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [NAMES.database])
    if (rowCount === 0) await client.query(`create database ${NAMES.database}`)
  } finally {
    await client.end()
  }
}
