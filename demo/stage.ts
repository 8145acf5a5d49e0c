import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Defer } from './remit-server.ts'

type Stage = { readonly dir: string; readonly defer: Defer }

/** Many times what it takes: a slow machine shows the same. */
const DEADLINE_MS = 150_000
const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const

/**
 * Gives `play` a temporary directory and a bounded time, and undoes everything that was started: at the end, at a
 * failure, at a signal. @returns whether `play` came to its end
 */
export async function setStage(
  play: (stage: Stage) => Promise<void>,
  report: (line: string) => void,
  deadlineMs = DEADLINE_MS,
): Promise<boolean> {
  const undo = new AsyncDisposableStack()
  const leave = async (code: number) => {
    await undo.disposeAsync()
    process.exit(code)
  }
  for (const [signal, code] of SIGNALS) process.once(signal, () => leave(code))
  process.once('uncaughtException', error => {
    report(`There is a mistake: ${error.stack}`)
    leave(1)
  })
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`It took longer than ${deadlineMs / 1000} s.`)), deadlineMs)
  try {
    const dir = await mkdtemp(join(tmpdir(), 'remit-demo-'))
    undo.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
    // Started by root, Postgres runs under another account, which must be able to pass.
    await chmod(dir, 0o711)
    await Promise.race([play({ dir, defer: end => undo.defer(end) }), late.promise])
    return true
  } catch (error) {
    report(`\nIt stopped: ${error instanceof Error ? error.message : error}`)
    return false
  } finally {
    clearTimeout(timer)
    await undo.disposeAsync()
  }
}
