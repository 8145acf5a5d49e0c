import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { z } from 'zod'
import { agentChecksum, canonicalComponents, checksumsEqual, parseChecksum } from '../../src/protocol/checksum.ts'
import { sha256Hex } from '../../src/protocol/digest.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { type JsonValue, parseStrictJson, parseStrictJsonText } from '../../src/protocol/json.ts'
import { normalisePrompt } from '../../src/protocol/prompt-normalisation.ts'
import { chainCommitment, sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { elapsed, refusal } from './forge.ts'

const json: z.ZodType<JsonValue> = z.json()
const members = z.record(z.string(), json)
const componentsSchema = z.strictObject({
  agent_id: z.string(),
  prompt_template: z.string(),
  tools: z.array(
    z.strictObject({
      name: z.string(),
      description: z.string().optional(),
      parameters: members.optional(),
      source_digest: z.string().optional(),
    }),
  ),
  configuration: members.optional(),
})
const hashed = z.object({ canonical: z.string(), sha256: z.string() })
const vectorsSchema = z.object({
  vectors: z.array(
    z.object({
      name: z.string(),
      raw_json: z.string(),
      profiles: z.object({ jcs: hashed.optional(), 'jcs-short': hashed.optional() }),
    }),
  ),
})

const vectorFile = (name: string) => parseStrictJson(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url)))
const vectors = ['agent-checksum', 'agent-checksum-extra'].flatMap(
  name => vectorsSchema.parse(vectorFile(name)).vectors,
)

for (const { name, raw_json, profiles } of vectors) {
  const { jcs, 'jcs-short': short } = profiles
  if (jcs) {
    test(`profile jcs: ${name} (protocol.md section 4, RFC 8785)`, () => {
      const components = componentsSchema.parse(parseStrictJsonText(raw_json))
      assert.equal(canonicalComponents(components), jcs.canonical)
      assert.equal(agentChecksum(components), jcs.sha256)
    })
  }
  if (short) {
    test(`the prompt normaliser in a third party's dialect: ${name}`, () => {
      const short_components = z
        .object({ agent_id: z.string(), prompt_template: z.string(), tools: z.array(members), configuration: members })
        .parse(parseStrictJsonText(raw_json))
      const { agent_id, prompt_template, tools, configuration } = short_components
      const sorted = tools.toSorted((a, b) => (String(a.name) < String(b.name) ? -1 : 1))
      const text = canonicalJson({
        id: agent_id,
        prompt: normalisePrompt(prompt_template),
        tools: sorted,
        config: configuration,
      })
      assert.equal(text, short.canonical)
      assert.equal(sha256Hex(text), short.sha256)
    })
  }
}

test('the vectors of profile jcs are all there', () => {
  assert.equal(vectors.filter(vector => vector.profiles.jcs).length, 9)
})

const base = { agent_id: 'a', prompt_template: 'p', tools: [{ name: 't' }] }

test('[attack 87] a member that the checksum would not cover is refused (protocol.md section 4)', () => {
  const tool = { name: 't', annotations: {} }
  const refused = refusal('invalid_request', 'unknown_component_member')
  assert.throws(() => agentChecksum({ ...base, tools: [tool] }), refused)
  const more = { ...base, model: 'x' }
  assert.throws(() => agentChecksum(more), refused)
  assert.throws(
    () => agentChecksum({ ...base, tools: [{ name: 't' }, { name: 't' }] }),
    refusal('invalid_request', 'duplicate_tool_name'),
  )
})

test('[attack 84] every code point and the order of tools count', () => {
  const texts = ['p', 'p ', 'p\n', 'p\r\n', 'p\u200b', '\ufeffp', '\u00e9', 'e\u0301']
  const sums = texts.map(prompt_template => agentChecksum({ ...base, prompt_template }))
  assert.equal(new Set(sums).size, texts.length)
  const [a, b] = [{ name: 'a' }, { name: 'b' }]
  assert.notEqual(agentChecksum({ ...base, tools: [a, b] }), agentChecksum({ ...base, tools: [b, a] }))
})

test('what JSON cannot carry has no checksum (RFC 8785 section 3.2.2)', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800']) {
    const configuration = { value }
    assert.throws(() => agentChecksum({ ...base, configuration }), refusal('invalid_request', 'json_not_canonical'))
  }
})

test('[attack 91] a checksum is sha256 and 64 lowercase hex digits (protocol.md section 4)', () => {
  const hex = sha256Hex('x')
  assert.equal(parseChecksum(hex), hex)
  assert.equal(parseChecksum(`sha256:${hex}`), hex)
  const wrong = [
    hex.toUpperCase(),
    `md5:${hex}`,
    hex.slice(1),
    `${hex}0`,
    ` ${hex}`,
    `${hex}\n`,
    `sha256 ${hex}`,
    `SHA256:${hex}`,
    '',
    `sha256:sha256:${hex}`,
  ]
  for (const text of wrong) assert.throws(() => parseChecksum(text), refusal('invalid_request', 'malformed_checksum'))
  assert.equal(checksumsEqual(hex, hex), true)
  assert.equal(checksumsEqual(hex, sha256Hex('y')), false)
  assert.equal(checksumsEqual(hex, ''), false)
})

const sequences = z.object({ vectors: z.array(z.object({ items: z.array(z.string()), hash: z.string() })) })

test('sequence hashes are those of the vectors (protocol.md section 7)', () => {
  const { vectors } = sequences.parse(vectorFile('sequence-hash'))
  assert.equal(vectors.length, 8)
  for (const { items, hash } of vectors) assert.equal(sequenceHash(items), hash)
})

test('[attack 67] the full commitment tells apart what the short hash joins', () => {
  assert.equal(sequenceHash(['a|b', 'c']), sequenceHash(['a', 'b|c']))
  assert.notEqual(chainCommitment(['a|b', 'c']), chainCommitment(['a', 'b|c']))
  // printf '["agent:app:a","agent:app:b"]' | openssl dgst -sha256 -binary | basenc --base64url
  assert.equal(chainCommitment(['agent:app:a', 'agent:app:b']), 'iBIrWU3ay1Dk06bxCjqPwCS4I9B6YClojfaY2jzI7s0')
})

const prompts = z.object({ vectors: z.array(z.object({ input: z.string(), normalised: z.string() })) })

test('prompts are normalised as the reference does (protocol.md section 4)', () => {
  const { vectors } = prompts.parse(vectorFile('prompt-normalisation'))
  assert.equal(vectors.length, 8)
  for (const { input, normalised } of vectors) {
    assert.equal(normalisePrompt(input), normalised)
    assert.equal(normalisePrompt(normalised), normalised)
  }
})

test('[attack 112] long runs of space are normalised in linear time', () => {
  for (const text of [' '.repeat(65_536), `a${' '.repeat(65_536)}b`, '\n'.repeat(65_536), `${' '.repeat(65_536)}a`]) {
    assert.ok(elapsed(() => normalisePrompt(text)) < 100)
  }
})
