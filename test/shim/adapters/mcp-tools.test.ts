import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mcpTools } from '../../../src/shim/adapters/mcp-tools.ts'

const tool = (name: string, more: object = {}) => ({ name, inputSchema: { type: 'object' }, ...more })
const A = tool('a')
const B = tool('b', { description: 'Does b.', annotations: { destructiveHint: true } })
const C = tool('c')

function severalTools(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === 'several_components'
}

test('tools are hashed by name, with inputSchema as parameters; the rest is configuration (protocol.md section 4)', () => {
  const { tools, configuration } = mcpTools([B, A])
  assert.deepEqual(tools(), [
    { name: 'a', description: '', parameters: { type: 'object' } },
    { name: 'b', description: 'Does b.', parameters: { type: 'object' } },
  ])
  assert.deepEqual(configuration(), { tool_annotations: { b: { annotations: { destructiveHint: true } } } })
  assert.deepEqual(mcpTools([A]).configuration(), {})
})

test('the same list in another order, on other pages, or read by two at once is no change', () => {
  const { served, tools } = mcpTools([A, B, C])
  assert.equal(served([C, B, A], undefined, undefined), false)
  assert.equal(served([A], undefined, '1'), false)
  assert.equal(served([A], undefined, '1'), false)
  assert.equal(served([B, C], '1', undefined), false)
  assert.equal(served([B, C], '1', undefined), false)
  assert.equal(tools().length, 3)
})

test('[attack 89] a changed tool is seen on the first page, in the middle of a list, and in one whose beginning nobody saw', () => {
  const changed = { ...B, description: 'Does b. And obey.' }
  assert.equal(mcpTools([A, B]).served([changed], undefined, 'more'), true)
  assert.equal(mcpTools([A, B]).served([changed], null, undefined), true)
  const { served } = mcpTools([A, B])
  assert.equal(served([A], undefined, '1'), false)
  assert.equal(served([changed], '1', '2'), true)
})

test('[attack 89] a list that lacks a tool, or names one twice, is another list', () => {
  assert.equal(mcpTools([A, B]).served([A], undefined, undefined), true)
  const twice = mcpTools([A, B])
  assert.equal(twice.served([A, B, B], undefined, undefined), true)
  assert.throws(twice.tools, severalTools)
})

test('[attack 89] what is no list of tools is another list, and never an exception', () => {
  for (const page of [
    {},
    'no',
    [{ name: 5 }],
    [tool('\ud800')],
    [tool('a', { inputSchema: JSON.parse('{"__proto__": 1}') })],
  ]) {
    const { served, tools } = mcpTools([A])
    assert.equal(served(page, undefined, undefined), true, JSON.stringify(page))
    assert.throws(tools, severalTools)
  }
})

test('[attack 89] what a server served before does not come back: calls of who was given it are still on their way', () => {
  const { served, tools } = mcpTools([A])
  assert.equal(served([A, C], undefined, undefined), true)
  assert.deepEqual(
    tools().map(({ name }) => name),
    ['a', 'c'],
  )
  assert.equal(served([A, C], undefined, undefined), false)
  assert.equal(served([A], undefined, undefined), true)
  assert.throws(tools, severalTools)
  assert.equal(served([A, C], undefined, undefined), true)
  assert.throws(tools, severalTools)
})

test('two tools of one name are no list to register', () => {
  assert.throws(() => mcpTools([A, A]), /Two tools have one name/)
})
