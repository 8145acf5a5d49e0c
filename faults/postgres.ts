import { execFile } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { cp, mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import type { Defer } from '../demo/remit-server.ts'
import { freePort } from '../demo/remit-server.ts'
import { type Account, findAccount, giveTo, spawnAs } from '../src/server/store/embedded-account.ts'
import { type Binaries, findBinaries } from '../src/server/store/embedded-binaries.ts'

const DEBIAN = '/usr/lib/postgresql'
const POLL_MS = 10
const READY_WITHIN_MS = 60_000
const GONE_WITHIN_MS = 20_000
const SUPERUSER = 'remit'

/** Settings of a durable server; a promise may set others. */
const DURABLE: Readonly<Record<string, string>> = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  wal_level: 'replica',
  max_wal_senders: '4',
  max_connections: '100',
  shared_buffers: '64MB',
  log_min_messages: 'log',
}

type Place = {
  readonly dir: string
  readonly port: number
  readonly binaries: Binaries
  readonly account: Account
}

/** A Postgres of the suite's own, on loopback TCP, that can be stopped, killed, frozen and copied. */
export class PostgresServer {
  readonly port: number
  readonly #place: Place
  #settings: Readonly<Record<string, string>>
  #pid: number | undefined

  private constructor(place: Place, settings: Readonly<Record<string, string>>) {
    this.#place = place
    this.#settings = settings
    this.port = place.port
  }

  /** A new cluster in a directory that does not exist yet, started. */
  static async create(dir: string, defer: Defer, settings: Readonly<Record<string, string>> = {}) {
    const account = await findAccount(dir)
    const place = { dir, port: await freePort(), binaries: await binariesFor(dir, account), account }
    await mkdir(dir, { mode: 0o700 })
    await giveTo(account, dir)
    const trust = ['--auth-local=trust', '--auth-host=trust', '--no-instructions', '--no-sync']
    await initdb(place, [`--pgdata=${dir}`, `--username=${SUPERUSER}`, '--encoding=UTF8', '--locale=C', ...trust])
    const server = new PostgresServer(place, { ...DURABLE, ...settings })
    defer(() => server.kill())
    await server.start()
    await server.query(`create database ${SUPERUSER}`, 'postgres')
    return server
  }

  /** `through`: the port of a proxy in front. */
  url(through = this.port, database = SUPERUSER): string {
    return `postgres://${SUPERUSER}@127.0.0.1:${through}/${database}`
  }

  get pid(): number | undefined {
    return this.#pid
  }

  set(settings: Readonly<Record<string, string>>): void {
    this.#settings = { ...this.#settings, ...settings }
  }

  /** Starts the postmaster and waits until it takes connections, recovery included. */
  async start(): Promise<void> {
    const { dir, account, binaries, port } = this.#place
    const log = await open(`${dir}.log`, 'a', 0o600)
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      port: String(port),
      ...this.#settings,
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawnAs(account, binaries.postgres, ['-D', dir, ...options], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    })
    await log.close()
    child.once('error', error => appendFileSync(`${dir}.log`, `${error.message}\n`))
    this.#pid = child.pid
    child.once('exit', () => {
      if (this.#pid === child.pid) this.#pid = undefined
    })
    for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await sleep(POLL_MS)) {
      if (child.exitCode !== null || child.signalCode !== null) break
      const lines = (await readFile(join(dir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
      if (lines[0] === String(child.pid) && ['ready', 'standby'].includes(lines[7]?.trim() ?? '')) return
    }
    throw new Error(`Postgres did not start: ${(await readFile(`${dir}.log`, 'utf8')).slice(-600)}`)
  }

  /** Shuts down in order: SIGINT ends sessions, SIGQUIT does not even write a checkpoint. */
  async stop(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const pid = this.#pid
    if (pid === undefined) return
    this.#pid = undefined
    process.kill(pid, signal)
    await untilGone([pid])
  }

  /** `kill -9` of the postmaster and all of its children. */
  async kill(): Promise<void> {
    const pid = this.#pid
    if (pid === undefined) return
    this.#pid = undefined
    const family = [pid, ...(await childrenOf(pid))]
    for (const one of family) signalQuietly(one, 'SIGKILL')
    // Forked while we read the list: orphans would hold the shared memory.
    await untilGone(family)
  }

  /** Freezes or thaws the postmaster and all of its children. */
  async signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (this.#pid === undefined) return
    const family = [this.#pid, ...(await childrenOf(this.#pid))]
    for (const one of family) signalQuietly(one, signal)
  }

  /** One statement of the suite's own, past every proxy. */
  async query(text: string, database = SUPERUSER, values: readonly unknown[] = []): Promise<readonly unknown[]> {
    const client = new pg.Client({ connectionString: this.url(this.port, database), connectionTimeoutMillis: 10_000 })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows
    } finally {
      await client.end().catch(() => {})
    }
  }

  /**
   * A hot standby that this server waits for at every COMMIT. Stopped for the copy: the files of a server that was shut
   * down in order are a base backup (PostgreSQL, 25.2), and need no program beside the server itself.
   */
  async addSynchronousStandby(defer: Defer): Promise<PostgresServer> {
    await this.stop()
    const place = { ...this.#place, dir: `${this.#place.dir}-standby`, port: await freePort() }
    await cp(this.#place.dir, place.dir, { recursive: true, preserveTimestamps: true })
    for (const entry of ['', ...(await readdir(place.dir, { recursive: true }))]) {
      await giveTo(place.account, join(place.dir, entry))
    }
    await writeFile(join(place.dir, 'standby.signal'), '')
    await giveTo(place.account, join(place.dir, 'standby.signal'))
    const primary_conninfo = `host=127.0.0.1 port=${this.port} user=${SUPERUSER} application_name=standby`
    const standby = new PostgresServer(place, { ...this.#settings, primary_conninfo })
    this.set({ synchronous_standby_names: 'standby' })
    defer(() => standby.kill())
    // The primary first: it takes connections before its standby is there, only its COMMITs wait.
    await this.start()
    await standby.start()
    return standby
  }

  /** Makes a standby the primary; it waits for no other. */
  async promote(): Promise<void> {
    await this.query('select pg_promote(true, 30)', 'postgres')
  }

  /** Everything the server logged. */
  async log(): Promise<string> {
    return await readFile(`${this.#place.dir}.log`, 'utf8')
  }
}

/** The embedded package's, as a newcomer has them, else Debian's. */
async function binariesFor(dir: string, account: Account): Promise<Binaries> {
  try {
    return await findBinaries(join(dir, '..'), account)
  } catch (error) {
    const [newest] = (await readdir(DEBIAN).catch(() => [])).sort((a, b) => Number(b) - Number(a))
    const bin = join(DEBIAN, newest ?? '', 'bin')
    if (newest === undefined || !(await stat(join(bin, 'postgres')).catch(() => undefined))) throw error
    return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }
  }
}

async function initdb({ binaries, account, dir }: Place, args: readonly string[]): Promise<void> {
  const child = spawnAs(account, binaries.initdb, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', text => {
    complaint += text
  })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code === 0) return
  await rm(dir, { recursive: true, force: true })
  throw new Error(`initdb failed: ${complaint.slice(-600)}`)
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  return (await processes()).filter(({ parent }) => parent === pid).map(one => one.pid)
}

async function untilGone(pids: readonly number[]): Promise<void> {
  for (const deadline = Date.now() + GONE_WITHIN_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    if (!pids.some(pid => signalQuietly(pid, 0))) return
    // An orphan whose new parent has not asked after it yet is gone all the same.
    const living = (await processes()).filter(({ state }) => !state.startsWith('Z'))
    if (!living.some(({ pid }) => pids.includes(pid))) return
  }
  throw new Error(`Processes ${pids.join(', ')} did not end.`)
}

async function processes() {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,stat='])
  return stdout.split('\n').map(line => {
    const [pid = '', parent = '', state = ''] = line.trim().split(/\s+/)
    return { pid: Number(pid), parent: Number(parent), state }
  })
}

/** @returns whether there is such a process */
function signalQuietly(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
