import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ADAPTERS = join(import.meta.dirname, '../../../src/shim/adapters')
/** What each may import beside ours, zod and types: its framework, which the agent has installed. */
const RUNTIME = {
  'mcp-client.ts': ['@modelcontextprotocol/client'],
  'langchain.ts': ['@langchain/core', 'langchain'],
  'ai.ts': ['ai'],
  'openai-agents.ts': [],
}

test('an adapter of a framework is at most 60 lines and needs no package but its framework (issue 5)', () => {
  for (const [name, allowed] of Object.entries(RUNTIME)) {
    const text = readFileSync(join(ADAPTERS, name), 'utf8')
    assert.ok(text.trimEnd().split('\n').length <= 60, name)
    const imported = [...text.matchAll(/^import (?!type )[^'\n]*'([^']+)'/gm)].map(([, from = '']) => from)
    const packages = imported
      .filter(from => !from.startsWith('.'))
      .map(from => from.replace(/^(@[^/]+\/[^/]+|[^/]+).*/, '$1'))
    assert.deepEqual([...new Set(packages)].toSorted(), allowed, name)
  }
})
