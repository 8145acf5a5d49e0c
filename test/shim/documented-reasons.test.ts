import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

const ROOT = resolve(import.meta.dirname, '../..')
const SHIM = join(ROOT, 'src/shim')

test('docs/shim.md explains every reason that the shim itself can give, and no other', () => {
  const inCode = readdirSync(SHIM, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .concat('../protocol/issuer-url.ts')
    .flatMap(name => [
      ...readFileSync(join(SHIM, name), 'utf8').matchAll(/reason: '([a-z_]+)'|refusal\([^)]*,\s+'([a-z_]+)',?\s*\)/g),
    ])
    .map(([, member, argument]) => member ?? argument ?? '')
  const rows = readFileSync(join(ROOT, 'docs/shim.md'), 'utf8').matchAll(/^\| (`[a-z_`, ]+`) \|/gm)
  const explained = [...rows].flatMap(([, reasons = '']) => reasons.replaceAll('`', '').split(', '))
  assert.deepEqual(explained.toSorted(), [...new Set(inCode)].toSorted())
})
