import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ask } from './ask.ts'

const COMMAND = fileURLToPath(new URL('../bin/remit.js', import.meta.url))
const READY_WITHIN_MS = 60_000
const POLL_MS = 20

/** Where one server process listens, and all else it is told. */
export type NodeSettings = {
  readonly port: number
  readonly adminPort: number
  readonly dataDir: string
  /** Further variables; `DATABASE_URL` is one. */
  readonly env: Readonly<Record<string, string>>
}

/** One `remit serve` process, which can be started again after it ended however it ended. */
export class RemitNode {
  readonly settings: NodeSettings
  #child: ChildProcess | undefined
  #ended: Promise<string> = Promise.resolve('not started')
  #log = ''

  constructor(settings: NodeSettings) {
    this.settings = settings
  }

  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined
  }

  get running(): boolean {
    return this.#child?.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What it said, the end of it. */
  get log(): string {
    return this.#log
  }

  /** Exit code or signal, once it ended. */
  get ended(): Promise<string> {
    return this.#ended
  }

  /** Starts the process; `more` adds to its environment this time. */
  launch(more: Readonly<Record<string, string>> = {}): void {
    const { port, adminPort, dataDir, env } = this.settings
    const child = spawn(process.execPath, [COMMAND, 'serve'], {
      cwd: dataDir,
      env: {
        PATH: process.env.PATH,
        REMIT_PORT: String(port),
        REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        REMIT_DATA_DIR: dataDir,
        REMIT_WORKERS: '1',
        REMIT_LOG_LEVEL: 'warn',
        ...env,
        ...more,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#ended = new Promise(resolve => {
      child.once('error', error => resolve(error.message))
      child.once('exit', (code, signal) => resolve(String(code ?? signal)))
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log = `${this.#log}${text}`.slice(-8_000)
      })
    }
  }

  /** Starts it and waits until it is ready. Throws with what it said. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<void> {
    this.launch(more)
    await this.untilReady()
  }

  async untilReady(within = READY_WITHIN_MS): Promise<void> {
    for (const deadline = Date.now() + within; Date.now() < deadline; await sleep(POLL_MS)) {
      if (!this.running) throw new Error(`A node ended with ${await this.#ended}: ${this.#log.slice(-600)}`)
      if (await this.isReady()) return
    }
    throw new Error(`A node was not ready within ${within / 1000} s: ${this.#log.slice(-600)}`)
  }

  /** As a load balancer asks. */
  async isReady(): Promise<boolean> {
    const answer = await ask(this.settings.port, { method: 'GET', path: '/readyz', headers: {}, fresh: true }, 2_000)
    return answer.status === 200
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child?.kill(signal)
  }

  /** `kill -9`, and waits for the end. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }

  /** In order, or by force after half a minute. @returns the exit code or signal */
  async stop(): Promise<string> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), 35_000)
    const ended = await this.#ended
    clearTimeout(timer)
    return ended
  }

  /** Resident memory in MB; 0 where the system does not say. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8').catch(() => '')
    return Number(status.match(/^VmRSS:\s+(\d+) kB/m)?.[1] ?? 0) / 1024
  }
}
