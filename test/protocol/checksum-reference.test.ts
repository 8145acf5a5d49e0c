import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { z } from 'zod'
import { referenceComponentsSchema } from '../../src/protocol/agent.ts'
import {
  type ReferenceChecksumComponents,
  referenceChecksum,
  referenceComponents,
  referenceContent,
} from '../../src/protocol/checksum-reference.ts'
import { memberAt, parseExactJsonText } from '../../src/protocol/exact-json.ts'
import { parseStrictJson } from '../../src/protocol/json.ts'
import { elapsed, refusal } from './forge.ts'

const hashed = z.object({ canonical: z.string(), sha256: z.string() })
const vectorsSchema = z.object({
  vectors: z.array(
    z.object({ name: z.string(), raw_json: z.string(), profiles: z.object({ reference: hashed.optional() }) }),
  ),
})
const vectors = ['agent-checksum', 'agent-checksum-reference-extra'].flatMap(name => {
  const file = readFileSync(new URL(`../vectors/${name}.json`, import.meta.url))
  return vectorsSchema.parse(parseStrictJson(file)).vectors
})

const base: ReferenceChecksumComponents = { agent_id: 'a', prompt_template: 'p', tools: [] }

function textOf(configuration: unknown): string {
  return referenceComponents(referenceComponentsSchema.parse({ ...base, configuration }))
}

for (const { name, raw_json, profiles } of vectors) {
  const { reference } = profiles
  if (!reference) continue
  test(`[attack 86] profile reference: ${name} (protocol.md section 4, [D] section 5.3.2)`, () => {
    const components = referenceComponentsSchema.parse(parseExactJsonText(raw_json))
    assert.equal(referenceComponents(components), reference.canonical)
    assert.equal(referenceChecksum(components), reference.sha256)
  })
}

test('the vectors of profile reference are all there', () => {
  assert.equal(vectors.filter(vector => vector.profiles.reference).length, 13)
})

test('[attack 86] a plain number counts as JavaScript would write it into JSON (section 4)', () => {
  const plain = { int: 1, zero: -0, float: 0.5, tiny: 1e-7, big: 1e21 }
  assert.equal(
    textOf(plain),
    '{"config": {"big": 1e+21, "float": 0.5, "int": 1, "tiny": 1e-07, "zero": 0}, "id": "a", "prompt": "p", "tools": []}',
  )
  assert.equal(textOf(plain), textOf(parseExactJsonText(JSON.stringify(plain))))
  assert.notEqual(textOf({ v: 0 }), textOf(parseExactJsonText('{"v": 0.0}')))
})

test('an object that looks like a written number is an object (section 4)', () => {
  assert.match(textOf({ v: { rawJSON: '0.0' } }), /"v": \{"rawJSON": "0\.0"\}/)
})

test('numbers that readers do not keep, and lone surrogates, have no checksum (section 4)', () => {
  for (const v of [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53), JSON.rawJSON('1e999')]) {
    assert.throws(() => textOf({ v }), refusal('invalid_request', 'json_number'))
  }
  assert.throws(() => textOf({ v: '\ud800' }), refusal('invalid_request', 'json_lone_surrogate'))
})

test('[attack 87] a member that the checksum would not cover is refused, and so are two tools of one name (section 4)', () => {
  const tool = { name: 't', annotations: {} }
  const refused = refusal('invalid_request', 'unknown_component_member')
  assert.throws(() => referenceChecksum({ ...base, tools: [tool] }), refused)
  const more = { ...base, model: 'x' }
  assert.throws(() => referenceChecksum(more), refused)
  const twice = { ...base, tools: [{ name: 't' }, { name: 't' }] }
  assert.throws(() => referenceChecksum(twice), refusal('invalid_request', 'duplicate_tool_name'))
})

test('[attack 84] what normalisation hides by definition, and nothing else, is no change (section 4)', () => {
  const sum = (prompt_template: string) => referenceChecksum({ ...base, prompt_template })
  assert.equal(sum('a\n\n  b\r\n'), sum('a\nb'))
  assert.notEqual(sum('a\nb'), sum('a b'))
  assert.notEqual(sum('a\u200b'), sum('a'))
  const [a, b] = [{ name: 'a' }, { name: 'b' }]
  assert.equal(referenceChecksum({ ...base, tools: [a, b] }), referenceChecksum({ ...base, tools: [b, a] }))
})

test('the content of two agents is the same where only their names differ', () => {
  assert.equal(referenceContent(base), referenceContent({ ...base, agent_id: 'b' }))
  assert.notEqual(referenceContent(base), referenceContent({ ...base, prompt_template: 'q' }))
})

test('exact JSON is refused where strict JSON is, and is written again as it was read (section 4)', () => {
  assert.throws(() => parseExactJsonText('{"a":1,"a":2}'), refusal('invalid_request', 'json_duplicate_member'))
  assert.throws(() => parseExactJsonText('{"a":9007199254740993}'), refusal('invalid_request', 'json_number'))
  const text = '{"a":[0.0,1E5,-0,{"b":1e-07}],"c":"0.0","d":null,"e":true}'
  assert.equal(JSON.stringify(parseExactJsonText(text)), text)
  const value = parseExactJsonText(text)
  assert.deepEqual(memberAt(value, ['c']), '0.0')
  assert.deepEqual(memberAt(value, ['a', 3, 'x']), undefined)
  assert.deepEqual(memberAt(value, ['constructor']), undefined)
})

test('[attack 112] a megabyte of members and of odd characters is hashed in a short time', () => {
  const v = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`${'\u{1f600}'.repeat(20)}${n}`, n]))
  assert.ok(elapsed(() => textOf({ v })) < 1500)
  assert.ok(elapsed(() => textOf({ v: '\u00e9'.repeat(500_000) })) < 1500)
})
