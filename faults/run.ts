import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, styleText } from 'node:util'
import { AuditBook } from './audit-book.ts'
import type { FaultPromise, Outcome } from './promise.ts'
import { PROMISES } from './promises/index.ts'

// Carries out the fault promises against real processes and a real Postgres of its own, and prints one figure for each.
// `--short`: the five-minute form. `--system`: only those that need root or more than a development machine has.
// `--json`: one object on standard output, `{ok, promises: [{id, figure, ok, skipped?}]}`; progress is on standard error.
// Names (`R4 R11`) choose some of them.

const { values: options, positionals: asked } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    system: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const WITHIN_MS = options.short ? 240_000 : 1_800_000
const say = (line: string) => process.stderr.write(`${line}\n`)
const book = new AuditBook()
const outcomes: Outcome[] = []
const ends: AsyncDisposableStack[] = []

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => {
    endAll().finally(() => process.exit(code))
  })
}
const chosen = PROMISES.filter(promise => isAsked(promise))
const unknown = asked.filter(name => !PROMISES.some(promise => promise.ids.some(id => id === name)))
if (unknown.length > 0) throw new Error(`There is no promise ${unknown.join(', ')}.`)
say(`Faults, ${options.short ? 'short' : 'full'} form: ${chosen.map(({ ids }) => ids.join('+')).join(' ')}`)
for (const promise of chosen) {
  say(`\n${promise.ids.join(', ')}: ${promise.title}`)
  const began = performance.now()
  for (const outcome of await attempt(promise)) {
    outcomes.push(outcome)
    say(`  ${mark(outcome)} ${outcome.id}  ${outcome.skipped ? `skipped: ${outcome.skipped}` : outcome.figure}`)
  }
  say(`  (${((performance.now() - began) / 1000).toFixed(0)} s)`)
}
const ok = outcomes.every(outcome => outcome.ok)
say(`\n${ok ? 'All promises held.' : 'NOT all promises held.'}`)
if (options.json) process.stdout.write(`${JSON.stringify({ ok, promises: outcomes })}\n`)
else
  for (const outcome of outcomes)
    process.stdout.write(`${mark(outcome)} ${outcome.id.padEnd(4)} ${outcome.skipped ?? outcome.figure}\n`)
// A socket to a process that was killed may be open yet.
process.exit(ok ? 0 : 1)

function isAsked({ ids, system }: FaultPromise): boolean {
  if (asked.length > 0) return ids.some(id => asked.includes(id))
  return options.system ? system !== undefined : true
}

/** One promise in a directory of its own; everything it started is ended, however it ends. */
async function attempt(promise: FaultPromise): Promise<readonly Outcome[]> {
  if (promise.system !== undefined && !options.system) {
    return promise.ids.map(id => ({ id, figure: '', ok: true, skipped: `${promise.system}; run npm run test:system` }))
  }
  const undo = new AsyncDisposableStack()
  ends.push(undo)
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`not done within ${WITHIN_MS / 1000} s`)), WITHIN_MS)
  try {
    const dir = await mkdtemp(join(tmpdir(), 'remit-faults-'))
    undo.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
    // Started by root, Postgres runs under another account, which must be able to pass.
    await chmod(dir, 0o711)
    await mkdir(join(dir, 'world'), { mode: 0o711 })
    const stage = { dir: join(dir, 'world'), defer: undo.defer.bind(undo), short: options.short, book, say: tell }
    return await Promise.race([promise.run(stage), late.promise])
  } catch (error) {
    return promise.ids.map(id => ({
      id,
      figure: `it stopped: ${error instanceof Error ? error.message : error}`,
      ok: false,
    }))
  } finally {
    clearTimeout(timer)
    await undo.disposeAsync()
  }
}

async function endAll(): Promise<void> {
  for (const undo of ends) await undo.disposeAsync()
}

function tell(line: string): void {
  say(`    ${line}`)
}

function mark({ ok, skipped }: Outcome): string {
  if (skipped !== undefined) return styleText('yellow', 'skip', { stream: process.stderr })
  return ok
    ? styleText('green', 'ok  ', { stream: process.stderr })
    : styleText('red', 'FAIL', { stream: process.stderr })
}
