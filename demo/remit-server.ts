import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** A running Remit with a Postgres of its own. */
export type RemitServer = {
  readonly pid: number
  /** The end of what it said on standard output and error. */
  readonly log: () => string
  readonly issuer: string
  readonly adminUrl: string
  /** The one-time token of the first administrator, as the server left it in its data directory. */
  readonly bootstrapToken: () => Promise<string>
}

/** Hears, before something is started, how it is ended again: at the end of the demo, however it ends. */
export type Defer = (undo: () => Promise<void>) => void

const COMMAND = fileURLToPath(new URL('../bin/remit.js', import.meta.url))
const READY_WITHIN_MS = 90_000
const POLL_MS = 50
/** Postgres gets this long to shut down in order. */
const STOP_WITHIN_MS = 15_000

/**
 * Starts `remit serve` on free ports of this machine, all its data in `dataDir`, and waits until it is ready. `settings` go
 * into its environment.
 */
export async function startRemit(
  dataDir: string,
  defer: Defer,
  settings: Readonly<Record<string, string>> = {},
): Promise<RemitServer> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const child = spawn(process.execPath, [COMMAND, 'serve'], {
    cwd: dataDir,
    env: environment({
      REMIT_PORT: String(port),
      REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      REMIT_DATA_DIR: dataDir,
      REMIT_LOG_LEVEL: 'warn',
      REMIT_WORKERS: '1',
      // The foreign issuer of the demo publishes its keys on this machine.
      REMIT_ALLOW_PRIVATE_FETCH: 'true',
      ...settings,
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = lastLines(child)
  const issuer = `http://127.0.0.1:${port}`
  defer(() => end(child, dataDir))
  try {
    await untilReady(child, `${issuer}/readyz`)
  } catch (error) {
    throw new Error(`Remit did not start: ${error instanceof Error ? error.message : error}\n${log()}`)
  }
  return {
    pid: child.pid ?? 0,
    log,
    issuer,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    bootstrapToken: async () => (await readFile(join(dataDir, 'bootstrap-token'), 'utf8')).trim(),
  }
}

const given = new Set<number>()

/** A port nobody listens on just now, and that was not given before: who has it may not listen yet. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise<void>((resolve, reject) => probe.once('listening', resolve).once('error', reject))
  const address = probe.address()
  await new Promise(resolve => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No free port was found.')
  if (given.has(address.port)) return await freePort()
  given.add(address.port)
  return address.port
}

/** This process's environment without anything that would point Remit at another database or issuer. */
function environment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('REMIT_') && name !== 'DATABASE_URL' && name !== 'NODE_ENV',
  )
  return { ...Object.fromEntries(inherited), ...settings }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    if (hasEnded(child)) throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.ok) return
  }
  throw new Error(`it was not ready within ${READY_WITHIN_MS / 1000} s`)
}

/** In order if it can be, else by force; a server that crashed or was killed leaves its Postgres to us. */
async function end(child: ChildProcess, dataDir: string): Promise<void> {
  child.kill('SIGTERM')
  for (const deadline = Date.now() + STOP_WITHIN_MS; !hasEnded(child) && Date.now() < deadline; ) await sleep(POLL_MS)
  if (!hasEnded(child)) child.kill('SIGKILL')
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid')
  const postmaster = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10)
  if (Number.isNaN(postmaster)) return
  process.kill(postmaster, 'SIGQUIT')
  // Postgres removes the file when it is gone; only then may its directory go.
  for (let poll = 0; existsSync(pidFile) && poll < 200; poll += 1) await sleep(POLL_MS)
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

/** Keeps the end of what a child says, for the case that it does not start. */
function lastLines(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = `${text}${chunk}`.slice(-2_000)
    })
  }
  return () => text.trim()
}
