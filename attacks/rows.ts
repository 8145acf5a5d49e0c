import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Defer } from '../demo/remit-server.ts'
import { attacks } from '../test/attacks/index.ts'
import type { Ended } from './row-reporter.ts'

/** A row of the catalogue of attacks (test/attacks/index.ts), and whether each test that names it passed in this run. */
export type Row = { readonly n: number; readonly blocked: boolean; readonly tests: readonly string[] }

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DEADLINE_MS = 20 * 60_000
const endedSchema = z.object({ file: z.string(), title: z.string(), passed: z.boolean() })

/** Rows that name a test: the others are about parts that do not exist yet. */
const applying = Object.entries(attacks).flatMap(([n, covered]) => {
  if (!('tests' in covered)) return []
  const parts = covered.tests.map(named => {
    const [path = '', part = ''] = named.split('#')
    return { path, part }
  })
  return [{ n: Number(n), parts }]
})

/**
 * Runs the tests of the catalogue, with real servers and a Postgres of their own, and says of each row that applies what
 * came of it in this very run. A row counts as blocked where each of its tests is among those that passed and none that
 * names the row failed.
 */
export async function runRows(defer: Defer, progress: (done: number) => void): Promise<readonly Row[]> {
  const ended = await runTests(
    [...new Set(applying.flatMap(({ parts }) => parts.map(({ path }) => path)))],
    defer,
    progress,
  )
  return applying.map(({ n, parts }) => {
    const named = ended.filter(({ title }) => numbersOf(title).includes(n))
    const isThere = ({ path, part }: (typeof parts)[number]) =>
      named.some(({ file, title }) => file.endsWith(path) && title.includes(part))
    const blocked = parts.every(isThere) && named.every(({ passed }) => passed)
    return { n, blocked, tests: named.map(({ title, passed }) => `${passed ? 'passed' : 'failed'}: ${title}`) }
  })
}

async function runTests(files: readonly string[], defer: Defer, progress: (done: number) => void): Promise<Ended[]> {
  const options = [
    '--test',
    '--test-concurrency=2',
    '--test-name-pattern=\\[attack ',
    '--test-global-setup=test/support/global-setup.ts',
    '--test-reporter=./attacks/row-reporter.ts',
    '--test-reporter-destination=stdout',
  ]
  // Told that it runs under a test runner, `node --test` would run nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, [...options, ...files], {
    ...{ cwd: ROOT, env, signal: AbortSignal.timeout(DEADLINE_MS), killSignal: 'SIGTERM' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const over = new Promise<void>(resolve => void child.once('close', () => resolve()).on('error', () => resolve()))
  defer(async () => {
    child.kill()
    await over
  })
  const ended: Ended[] = []
  for await (const line of createInterface(child.stdout)) {
    ended.push(endedSchema.parse(JSON.parse(line)))
    progress(ended.length)
  }
  await over
  return ended
}

/** `[attack 7]` or `[attack 7, 8]`. */
function numbersOf(title: string): readonly number[] {
  return [...title.matchAll(/\[attack ([\d, ]+)\]/g)].flatMap(([, list = '']) => list.split(',').map(Number))
}
