import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentComponentsSchema, referenceComponentsSchema } from '../../src/protocol/agent.ts'
import { parseExactJsonText } from '../../src/protocol/exact-json.ts'
import { diffComponents } from '../../src/server/registry/agent-diff.ts'
import { viewComponents } from '../../src/server/registry/components.ts'

const EMPTY = { prompt: [], tools: [], configuration: [] }

function parts(over: object = {}) {
  return agentComponentsSchema.parse({ agent_id: 'a', prompt_template: 'p', tools: [], ...over })
}

function text(lines: readonly { op: string; text: string }[]): string[] {
  const sign: Record<string, string> = { same: ' ', add: '+', remove: '-', skip: '~' }
  return lines.map(line => `${sign[line.op]}${line.text}`)
}

test('what is the same is no difference, in whatever order members stand', () => {
  const one = parts({ configuration: { a: 1, b: { c: [1, 2], d: 3 } } })
  const other = parts({ configuration: { b: { d: 3, c: [1, 2] }, a: 1 } })
  assert.deepEqual(diffComponents(one, other), EMPTY)
})

test('a prompt is compared by lines, with three unchanged ones around a change', () => {
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n}`)
  const before = parts({ prompt_template: lines.join('\n') })
  const after = parts({ prompt_template: lines.with(10, 'changed').join('\n') })
  assert.deepEqual(text(diffComponents(before, after).prompt), [
    '~7 unchanged lines',
    ' line 7',
    ' line 8',
    ' line 9',
    '-line 10',
    '+changed',
    ' line 11',
    ' line 12',
    ' line 13',
    '~6 unchanged lines',
  ])
})

test('[attack 85] hidden characters of a change are visible in it, and so are line ends', () => {
  const diff = diffComponents(parts({ prompt_template: 'a\nb' }), parts({ prompt_template: 'a\r\nb\u200b' }))
  assert.deepEqual(text(diff.prompt), ['-a', '-b', '+a⟦U+000D⟧', '+b⟦U+200B⟧'])
})

test('tools are compared by name: added, changed, moved, removed', () => {
  const tool = (name: string, description = '') => ({ name, description })
  const before = parts({ tools: [tool('a'), tool('b'), tool('c'), tool('d'), tool('old')] })
  const after = parts({ tools: [tool('d'), tool('a'), tool('b', 'New.'), tool('c'), tool('e\u200b')] })
  const { tools } = diffComponents(before, after)
  assert.deepEqual(
    tools.map(({ name, change, lines }) => [name, change, lines.length]),
    [
      ['d', 'moved', 0],
      ['b', 'changed', 6],
      ['e⟦U+200B⟧', 'added', 5],
      ['old', 'removed', 5],
    ],
  )
  assert.deepEqual(
    text(tools[1]?.lines ?? []),
    [' {', '-  "description": "",', '+  "description": "New.",', '   "name": "b",', '   "parameters": {}', ' }'].slice(
      0,
      6,
    ),
  )
})

test('[attack 86] another written form of a number is a change in profile reference (section 4)', () => {
  const of = (configuration: string) => {
    const sent = `{"agent_id":"a","prompt_template":"p","tools":[],"configuration":${configuration}}`
    return referenceComponentsSchema.parse(parseExactJsonText(sent))
  }
  const { configuration } = diffComponents(of('{"t":0}'), of('{"t":0.0}'))
  assert.deepEqual(text(configuration), [' {', '-  "t": 0', '+  "t": 0.0', ' }'])
})

test('[attack 112] two megabytes of different lines are compared in a short time, and the answer is bounded', () => {
  const lines = (end: string) => Array.from({ length: 250_000 }, (_, n) => `${n % 7}${end}`).join('\n')
  const many = (end: string) =>
    parts({
      prompt_template: lines(end),
      tools: Array.from({ length: 500 }, (_, n) => ({
        name: `t${n}`,
        parameters: { list: Array.from({ length: 900 }, (_, at) => `${at}${end}`) },
      })),
    })
  const [before, after] = [many('a'), many('b')]
  const started = performance.now()
  const diff = diffComponents(before, after)
  assert.ok(performance.now() - started < 5000)
  assert.deepEqual(diff.prompt.length, 2 * 2_001)
  assert.deepEqual(diff.prompt[2_000], { op: 'skip', text: '248000 more lines removed' })
  const toolLines = diff.tools.reduce((sum, tool) => sum + tool.lines.length, 0)
  assert.ok(toolLines <= 20_000 + 500)
  assert.deepEqual(
    diff.tools.at(-1)?.lines.map(line => line.op),
    ['skip'],
  )
})

test('components are shown as text, JSON indented with sorted members, hidden characters visible (section 4)', () => {
  const view = viewComponents(
    parts({
      prompt_template: 'Sort\u200b.',
      tools: [{ name: 'b', description: 'x\u202e', parameters: { z: 1, a: ['\u200b'] }, source_digest: 'd' }],
      configuration: { k: 1.5 },
    }),
  )
  const rest = '{\n  "parameters": {\n    "a": [\n      "⟦U+200B⟧"\n    ],\n    "z": 1\n  },\n  "source_digest": "d"\n}'
  assert.deepEqual(view, {
    prompt: 'Sort⟦U+200B⟧.',
    tools: [{ name: 'b', description: 'x⟦U+202E⟧', rest }],
    configuration: '{\n  "k": 1.5\n}',
  })
})
