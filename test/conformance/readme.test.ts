import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'

const TITLE = /^\s*test\(\s*(?:'((?:[^'\\]|\\.)+)'|"([^"]+)"|`([^`]+)`)/gm

test('README.md names every test here and no test that is not here', async () => {
  const folder = new URL('./', import.meta.url)
  const readme = await readFile(new URL('README.md', folder), 'utf8')
  const named = [...readme.matchAll(/^\|.+\| *([^|]+?) *\| *`(\S+)` *\|$/gm)].map(
    ([, title, file]) => `${file}: ${title}`,
  )
  const written: string[] = []
  for (const file of (await readdir(folder)).filter(name => name.endsWith('.test.ts'))) {
    const source = await readFile(new URL(file, folder), 'utf8')
    for (const [, single, double, template] of source.matchAll(TITLE)) {
      // What changes from case to case is written as three dots.
      written.push(`${file}: ${(single ?? double ?? template ?? '').replace(/\$\{[^}]*\}/g, '...')}`)
    }
  }
  assert.deepEqual(named.toSorted(), written.toSorted())
})
