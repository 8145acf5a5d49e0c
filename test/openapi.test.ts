import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parse } from 'yaml'
import { generateOpenapi } from '../src/server/openapi.ts'

test('openapi.yaml is what the schemas say; npm run openapi writes it (architecture.md section 4, rule 12)', async () => {
  const committed = await readFile(new URL('../openapi.yaml', import.meta.url), 'utf8')
  assert.ok(committed === (await generateOpenapi()), 'openapi.yaml is out of date: run npm run openapi')
})

test('the document is the same each time, names no deployment, and refers to nothing that is not in it', async () => {
  const text = await generateOpenapi()
  assert.equal(text, await generateOpenapi())
  assert.ok(!text.includes('127.0.0.1'))
  const document = parse(text)
  const schemas = Object.keys(document.components.schemas)
  const references = [...text.matchAll(/\$ref: "?#\/components\/schemas\/([A-Za-z0-9]+)/g)].map(match => match[1] ?? '')
  assert.deepEqual(
    [...new Set(references)].filter(name => !schemas.includes(name)),
    [],
  )
  assert.ok(Object.keys(document.paths).includes('/oauth/token'))
})
