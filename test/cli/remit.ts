import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

const REMIT = fileURLToPath(new URL('../../bin/remit.js', import.meta.url))
/** What every process gets; compiled sources are kept between them, which halves the time of a command. */
const BASE = {
  PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
  NODE_COMPILE_CACHE: join(tmpdir(), 'remit-test-compile-cache'),
}

export type Result = { readonly code: number | null; readonly stdout: string; readonly stderr: string }
export type LogLine = Readonly<Record<string, unknown>>
export type Env = Readonly<Record<string, string>>

/** An empty working directory, removed when the test file ends. */
export async function workingDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'remit-cli-'))
  // Run by root, Postgres is another user, who must pass it.
  await chmod(directory, 0o711)
  // A database that a killed server leaves behind writes for a moment more: then a directory is not empty yet.
  after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))
  return directory
}

/** Runs `node bin/remit.js` as a process of its own, with nothing of our environment. */
export async function remit(cwd: string, args: readonly string[], env: Env = {}, stdin = ''): Promise<Result> {
  return await run(process.execPath, [REMIT, ...args], { cwd, env, stdin })
}

/** Runs it with --json; standard output must be exactly one JSON value. */
export async function remitJson(cwd: string, args: readonly string[], env: Env = {}, stdin = '') {
  const { code, stdout, stderr } = await remit(cwd, [...args, '--json'], env, stdin)
  assert.match(stdout, /^[^\n]+\n$/, `one line on standard output, but: ${stdout}${stderr}`)
  return { code, value: JSON.parse(stdout), stderr }
}

export async function run(
  command: string,
  args: readonly string[],
  { cwd, env = {}, stdin = '' }: { cwd: string; env?: Env; stdin?: string },
): Promise<Result> {
  const child = spawn(command, args, { cwd, env: { ...BASE, ...env } })
  child.stdin.end(stdin)
  const [stdout, stderr, code] = await Promise.all([textOf(child.stdout), textOf(child.stderr), exitOf(child)])
  return { code, stdout, stderr }
}

/** `remit serve` with its data in `cwd`, one process unless told; killed when the test file ends, if it still runs. */
export async function serve(cwd: string, env: Env) {
  const settings = { ...BASE, REMIT_WORKERS: '1', ...env }
  const child = spawn(process.execPath, [REMIT, 'serve', '--json'], { cwd, env: settings })
  const exit = exitOf(child)
  after(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  const stderr = exit.then(() => said)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
    if (stdout.endsWith('\n')) resolve(stdout)
  })
  exit.then(async code => reject(new Error(`serve ended with ${code}: ${await stderr}`)))
  promise.catch(() => {})
  /** Every line of the log so far. */
  const log = (): readonly LogLine[] => said.split('\n').flatMap(line => (line.startsWith('{') ? JSON.parse(line) : []))
  return { announced: JSON.parse(await promise), child, exit, stdout: () => stdout, stderr, log }
}

/** Two ports of this machine that nobody listens on, as the settings of a server. */
export async function freeAddresses(): Promise<{ env: Env; issuer: string; admin_url: string }> {
  const [port, adminPort] = await Promise.all([freePort(), freePort()])
  const admin = `127.0.0.1:${adminPort}`
  const env = { REMIT_PORT: String(port), REMIT_ADMIN_LISTEN: admin }
  return { env, issuer: `http://127.0.0.1:${port}`, admin_url: `http://${admin}` }
}

async function freePort(): Promise<number> {
  const server = createServer()
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const address = server.address()
  const closed = Promise.withResolvers<void>()
  server.close(() => closed.resolve())
  await closed.promise
  return typeof address === 'object' && address ? address.port : 0
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  return await new Promise(resolve => child.once('close', resolve))
}
