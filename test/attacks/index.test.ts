import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { attacks } from './index.ts'

const ROWS = 132
const ROOT = new URL('../../', import.meta.url)

/** Rows that must be tests as far as they concern what exists; for the others of them there is a sentence. */
const MUST = [...range(1, 126), ...range(129, 132)]

test('every row of the catalogue has a test or the reason why not yet', () => {
  assert.deepEqual(Object.keys(attacks).map(Number), range(1, ROWS))
  for (const covered of Object.values(attacks)) {
    const reasons = [...('not_yet' in covered ? [covered.not_yet] : []), ...('later' in covered ? [covered.later] : [])]
    for (const reason of reasons) assert.match(String(reason), /^[A-Z].{10,120}\.$/)
  }
})

test('each named test is in its file and names its row', () => {
  for (const [row, covered] of Object.entries(attacks)) {
    if ('not_yet' in covered) continue
    assert.deepEqual([...new Set(covered.tests)], covered.tests, `row ${row} names a test twice`)
    for (const named of covered.tests) {
      const [path = '', title = ''] = named.split('#')
      assert.ok(title.length > 5, `row ${row}: ${named} names no test`)
      const source = readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8')
      const titles = titlesOf(source).filter(text => namesRow(text, Number(row), source))
      assert.ok(titles.length > 0, `row ${row}: no test of ${path} names it`)
      assert.ok(
        titles.some(text => text.includes(title)),
        `row ${row}: no such title in ${path}: ${title}`,
      )
    }
  }
})

test('each promise that a row names is one of the fault tests', () => {
  const promises = new Set(readdirSync(new URL('faults/promises', ROOT)).map(name => name.replace(/\.ts$/, '')))
  for (const [row, covered] of Object.entries(attacks)) {
    const faults = 'faults' in covered ? covered.faults : []
    for (const name of faults ?? []) assert.ok(promises.has(name), `row ${row}: ${name}`)
  }
})

test('the rows that this release must hold are tests', () => {
  const open = MUST.filter(row => 'not_yet' in (attacks[row] ?? { not_yet: '' }))
  assert.deepEqual(open, [])
})

/** Titles of the tests that run: none that is skipped, still to be written, or in a comment. */
function titlesOf(source: string): string[] {
  const lines = source.split('\n').filter(line => !/^\s*(\/\/|\*)/.test(line))
  return [...lines.join('\n').matchAll(/^\s*test\(\s*(['`])([^\n]*)\1,/gm)].map(([, , title = '']) => title)
}

/** `[attack 7]`, `[attack 7, 8]`, or the row of a table whose tests are titled `[attack ${row}]`. */
function namesRow(title: string, row: number, source: string): boolean {
  const numbers = [...title.matchAll(/\[attack ([\d, ]+)\]/g)].flatMap(([, list = '']) => list.split(',').map(Number))
  const inTable = new RegExp(`\\brow: ${row}\\b`).test(source) && title.includes('[attack $' + '{row}]')
  return numbers.includes(row) || inTable
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n)
}
