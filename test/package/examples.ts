import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { ROOT } from './installed.ts'

/** Lines that protect are marked so: without them an example is what it was before. */
const MARK = /\/\/ \+$/
const LISTENS_WITHIN_MS = 120_000

/** An example by its heading in the README, which is also a file of `examples/`. Throws where the two are not one. */
export async function example(heading: string, file: string): Promise<string> {
  const text = blocksUnder(heading, await readFile(join(ROOT, 'README.md'), 'utf8'))
  if (text !== (await readFile(join(ROOT, 'examples', file), 'utf8')))
    throw new Error(`${file} is not as in the README.`)
  return text
}

export function protection(source: string): readonly string[] {
  return source.split('\n').filter(line => MARK.test(line))
}

export function withoutProtection(source: string): string {
  return source
    .split('\n')
    .filter(line => !MARK.test(line))
    .join('\n')
}

export type Running = { readonly said: Promise<string>; readonly child: ChildProcess }

/** Runs a file as a process of its own, which ends with the test. */
export function start(t: TestContext, path: string, env: Record<string, string | undefined>): Running {
  const cwd = join(path, '..')
  const child = spawn(process.execPath, [path], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  return { said: text(child.stdout), child }
}

/** The first answer of an address, whenever the process behind it listens. Throws where that ends or never listens. */
export async function answerOf(url: string, { child }: Running): Promise<Response> {
  const deadline = Date.now() + LISTENS_WITHIN_MS
  while (Date.now() < deadline) {
    const response = await fetch(url, { signal: AbortSignal.timeout(LISTENS_WITHIN_MS) }).catch(() => undefined)
    if (response) return response
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`The process ended with ${child.exitCode ?? child.signalCode} before it listened.`)
    }
    await later(50)
  }
  throw new Error(`Nothing answered at ${url} within ${LISTENS_WITHIN_MS} ms.`)
}

/** The code blocks of a section, put together; undefined where there is no such section or block. */
function blocksUnder(heading: string, markdown: string): string | undefined {
  const [, section] = markdown.split(new RegExp(`^##+ ${heading}$`, 'm'))
  const [body = ''] = section?.split(/^## /m) ?? []
  const blocks = [...body.matchAll(/^```(?:ts|typescript|js|javascript)\n([\s\S]*?)^```$/gm)]
  return blocks.length === 0 ? undefined : blocks.map(match => match[1] ?? '').join('\n')
}
