import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
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
    const [path = '', title = ''] = covered.test.split('#')
    const source = readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8')
    const titles = source.split('\n').filter(line => namesRow(line, Number(row), source) && line.includes('test('))
    assert.ok(titles.length > 0, `row ${row}: no test of ${path} names it`)
    assert.ok(
      titles.some(line => line.includes(title)),
      `row ${row}: no such title in ${path}: ${title}`,
    )
  }
})

test('the rows that this release must hold are tests', () => {
  const open = MUST.filter(row => 'not_yet' in (attacks[row] ?? { not_yet: '' }))
  assert.deepEqual(open, [])
})

/** `[attack 7]`, `[attack 7, 8]`, or the row of a table whose tests are titled `[attack ${row}]`. */
function namesRow(line: string, row: number, source: string): boolean {
  const numbers = [...line.matchAll(/\[attack ([\d, ]+)\]/g)].flatMap(([, list = '']) => list.split(',').map(Number))
  const inTable = new RegExp(`\\brow: ${row}\\b`).test(source) && line.includes('[attack $' + '{row}]')
  return numbers.includes(row) || inTable
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n)
}
