import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { elapsed } from './forge.ts'

const SOURCES = ['protocol', 'server', 'verifier', 'shim'].map(name => new URL(`../../src/${name}/`, import.meta.url))
/** A regular expression as it is written: not after a name or a bracket, where a slash divides. */
const LITERAL =
  /(?<![\w)\]<*/])\/((?:\\.|\[(?:\\.|[^\]\n\\])*\]|[^/\\[\n*\s])(?:\\.|\[(?:\\.|[^\]\n\\])*\]|[^/\\[\n])*)\/([dgimsuvy]*)/g

/** What reads a bounded text only, by its own check. */
const BOUNDED = ['exact-numbers.ts: /0+$/']

const LENGTH = 65_536
/** What a quantifier could run through, alone and in turn, with an end that fits nothing. */
const PIECES = [
  'a',
  'A',
  '0',
  ' ',
  '\t',
  '\r\n',
  '-',
  '.',
  '_',
  ':',
  '/',
  '\\',
  '"',
  '%',
  '=',
  ',',
  '{',
  '[',
  '\u0000',
  '\u00e9',
]
const PUMPED = [...PIECES, 'a.', 'a ', 'a-', 'a_0', '0.', '::', '%61', '\\"', '=a', '\ud800', 'aA0 '].map(piece =>
  piece.repeat(Math.ceil(LENGTH / piece.length)),
)

function expressions(): ReadonlyMap<string, RegExp> {
  const found = new Map<string, RegExp>()
  for (const root of SOURCES) {
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const code = readFileSync(new URL(name, root), 'utf8').replace(/^\s*(?:\/\/|\/?\*).*$/gm, '')
      for (const [text, source = '', flags] of code.matchAll(LITERAL)) {
        const made = compile(source, flags)
        if (made) found.set(`${name}: ${text}`, made)
      }
    }
  }
  return found
}

/** A path in a string can look like one and be none. */
function compile(source: string, flags: string | undefined): RegExp | undefined {
  try {
    return new RegExp(source, flags)
  } catch {
    return undefined
  }
}

/** The letters that an expression begins with: only behind them is the rest tried. */
function beginning({ source }: RegExp): string {
  return /^\^?((?:[A-Za-z0-9":]|\\[^A-Za-z0-9])*)/.exec(source)?.[1]?.replaceAll('\\', '') ?? ''
}

test('[attack 112] no regular expression takes longer than a moment over 64 KB of anything', () => {
  const all = expressions()
  assert.ok(all.size > 100, `${all.size} were found`)
  const slow: string[] = []
  for (const [name, expression] of all) {
    if (BOUNDED.includes(name)) continue
    const start = beginning(expression)
    for (const pumped of PUMPED) {
      for (const text of [`${start}${pumped}\u2603`, pumped]) {
        // Some 10 ms; a machine that others keep busy is allowed ten times that, what is quadratic takes seconds.
        const look = () => text.replace(expression, '')
        const began = performance.now()
        look()
        if (performance.now() - began < 100) continue
        const took = elapsed(look)
        if (took > 100) slow.push(`${name} over ${JSON.stringify(text.slice(0, 12))}: ${Math.round(took)} ms`)
      }
    }
  }
  assert.deepEqual(slow, [])
})
