import assert from 'node:assert/strict'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { z } from 'zod'
import { canonicalComponents } from '../../src/protocol/checksum.ts'
import { referenceComponents } from '../../src/protocol/checksum-reference.ts'
import { parseExactJsonText } from '../../src/protocol/exact-json.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { isJsonObject, parseStrictJsonText } from '../../src/protocol/json.ts'
import { jsonObjectText } from '../json-text.ts'
import { outcome } from '../outcome.ts'
import { pythonDumps, type Tree } from '../reference/python-json.ts'
import { target } from '../target.ts'

const input = z.object({
  agent_id: z.string(),
  prompt_template: z.string(),
  tools: z.array(z.object({ name: z.string(), description: z.string().optional(), parameters: z.string().optional() })),
  /** JSON text: how a number is written counts. */
  configuration: z.string(),
})

const SPACES = ['\r\n', '\n', '\r', ' ', '\t', '\u00a0', '\u0085', '\u200b', '\u2028', '\ufeff', '\u001c', '\u3000']
const words = fc.array(fc.oneof(fc.constantFrom(...SPACES, 'a', 'b'), fc.string({ unit: 'grapheme', maxLength: 2 })), {
  maxLength: 8,
})
const prompt = words.map(all => all.join(''))
const name = fc.oneof(fc.constantFrom('a', 'b', 'a', '\ufb33', '\u{1f600}', '10', '9'), fc.string({ unit: 'grapheme' }))

/** Python's str.strip of each line, by a list of the characters and not by an expression. */
const STRIPPED = new Set(
  [9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].concat(
    Array.from({ length: 11 }, (_, at) => 0x2000 + at),
  ),
)

function normalised(text: string): string {
  const lines = text.split('\r\n').join('\n').split('\n')
  const strip = (line: string) => {
    const units = [...line]
    const kept = units.map(unit => !STRIPPED.has(unit.codePointAt(0) ?? 0))
    const [first, last] = [kept.indexOf(true), kept.lastIndexOf(true)]
    return first < 0 ? '' : units.slice(first, last + 1).join('')
  }
  return lines
    .map(strip)
    .filter(line => line.length > 0)
    .join('\n')
}

export const checksum = target({
  name: 'f06',
  rule: 'two implementations of each checksum profile agree, and jcs loses nothing (protocol.md section 4)',
  input,
  arbitrary: fc.record({
    agent_id: fc.stringMatching(/^[A-Za-z0-9-]{1,8}$/),
    prompt_template: prompt,
    tools: fc.array(fc.record({ name, description: prompt, parameters: jsonObjectText }, { requiredKeys: ['name'] }), {
      maxLength: 3,
    }),
    configuration: jsonObjectText,
  }),
  shortRuns: 250,
  holds(kept) {
    const configuration = objectOf(kept.configuration)
    const tools = kept.tools.map(({ parameters, ...tool }) => ({ ...tool, ...parametersOf(parameters) }))
    if (!configuration) return
    const { agent_id, prompt_template } = kept
    assert.equal(canonicalJson(configuration), canonicalize(configuration))
    const canonical = outcome(
      () => canonicalComponents({ agent_id, prompt_template, tools, configuration }),
      'invalid_request',
    )
    const isTwice = new Set(tools.map(tool => tool.name)).size < tools.length
    const isText = [prompt_template, ...tools.flatMap(tool => [tool.name, tool.description ?? ''])].every(text =>
      text.isWellFormed(),
    )
    assert.equal('value' in canonical, !isTwice && isText)
    if (!('value' in canonical)) return
    // Whoever has the text has the components: no two of them have one text.
    const defaults = tools.map(tool => ({ description: '', parameters: {}, ...tool }))
    const sent = JSON.parse(JSON.stringify({ agent_id, prompt_template, tools: defaults, configuration }))
    assert.deepEqual(JSON.parse(canonical.value), sent)
    judgeReference(kept)
  },
})

function judgeReference({ agent_id, prompt_template, tools, configuration }: z.output<typeof input>): void {
  const exact = parseExactJsonText(configuration)
  const named = tools.map(({ name, description }) => ({ name, ...(description !== undefined && { description }) }))
  const config = z.record(z.string(), z.unknown()).parse(exact)
  const ours = outcome(
    () => referenceComponents({ agent_id, prompt_template, tools: named, configuration: config }),
    'invalid_request',
  )
  assert.ok('value' in ours)
  const sorted = named.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
  const theirs = new Map<string, Tree>([
    ['id', agent_id],
    ['prompt', normalised(prompt_template)],
    [
      'tools',
      sorted.map(
        tool => new Map(Object.entries({ name: tool.name, signature: '', description: tool.description ?? '' })),
      ),
    ],
    ['config', treeOf(exact)],
  ])
  assert.equal(ours.value, pythonDumps(theirs))
}

function treeOf(value: unknown): Tree {
  if (JSON.isRawJSON(value)) return { literal: value.rawJSON }
  if (Array.isArray(value)) return value.map(treeOf)
  if (isJsonObject(value)) return new Map(Object.entries(value).map(([key, member]) => [key, treeOf(member)]))
  return value === null || typeof value === 'boolean' || typeof value === 'string' ? value : null
}

function parametersOf(text: string | undefined) {
  const parameters = text === undefined ? undefined : objectOf(text)
  return parameters ? { parameters } : {}
}

function objectOf(text: string) {
  const read = outcome(() => parseStrictJsonText(text), 'invalid_request')
  return 'value' in read && isJsonObject(read.value) ? read.value : undefined
}
