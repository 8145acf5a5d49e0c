import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const REMIT = fileURLToPath(new URL('../../bin/remit.js', import.meta.url))

export type ServerProcess = {
  /** In order, as an operator would. */
  readonly stop: () => Promise<void>
  /** kill -9. */
  readonly kill: () => Promise<void>
}

/** `remit serve` in a process of its own, listening. Throws with what it said where it does not start. */
export async function startServerProcess(
  directory: string,
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [REMIT, 'serve'], {
    // Its `.env` is none of ours.
    cwd: directory,
    env: { PATH: process.env.PATH, NODE_ENV: 'test', REMIT_LOG_LEVEL: 'warn', REMIT_WORKERS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said = `${said}${text}`.slice(-4_000)
  })
  const first = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (typeof first[0] === 'number') throw new Error(`The server did not start: ${said}`)
  child.stdout.resume()
  return { stop: () => end(child, 'SIGTERM'), kill: () => end(child, 'SIGKILL') }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}
