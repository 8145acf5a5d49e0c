import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseStrictJson, parseStrictJsonText } from '../../src/protocol/json.ts'
import { elapsed, refusal } from './forge.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('well-formed I-JSON is read as JSON.parse reads it (RFC 7493)', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8, noUnicodeString: false }), value => {
      const text = JSON.stringify(value)
      const isPlain = !text.includes('\\u0000') && !text.includes('__proto__') && text.isWellFormed()
      fc.pre(isPlain && !/\\ud[89a-f]/i.test(text) && !/(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/.test(text))
      assert.deepEqual(parseStrictJson(bytes(text)), JSON.parse(text))
    }),
  )
})

const REFUSED: readonly [string, string, string][] = [
  ['a duplicate member', '{"a":1,"a":2}', 'json_duplicate_member'],
  ['a duplicate member by escape', '{"a":1,"\\u0061" : 2}', 'json_duplicate_member'],
  ['a duplicate member deep inside', '[{"x":[{"k":[1],"j":"k","k":{}}]}]', 'json_duplicate_member'],
  ['an empty name twice', '{"":1,"":1}', 'json_duplicate_member'],
  ['an integer above 2^53-1', '{"a":9007199254740992}', 'json_number'],
  ['an integer below -(2^53-1)', '[-9007199254740992]', 'json_number'],
  ['an overflowing literal', '[1e999]', 'json_number'],
  ['a negative overflowing literal', '[-1.0E+400]', 'json_number'],
  ['a byte order mark', '\ufeff{}', 'json_bom'],
  ['U+0000 in a value', '["a\\u0000"]', 'json_nul'],
  ['U+0000 in a name', '{"\\u0000":1}', 'json_nul'],
  ['a high surrogate alone', '["\\ud800"]', 'json_lone_surrogate'],
  ['a low surrogate alone', '{"\\udc00":1}', 'json_lone_surrogate'],
  ['reversed surrogates', '["\\udc00\\ud800"]', 'json_lone_surrogate'],
  ['__proto__', '{"__proto__":{}}', 'json_forbidden_member'],
  ['__proto__ by escape', '{"\\u005f_proto__":{}}', 'json_forbidden_member'],
  ['constructor.prototype', '{"constructor":{"a":1,"prototype":{}}}', 'json_forbidden_member'],
  ['33 levels', `${'['.repeat(33)}${']'.repeat(33)}`, 'json_depth'],
  ['a trailing comma', '[1,]', 'json_malformed'],
  ['two values', '{} {}', 'json_malformed'],
  ['nothing', '', 'json_malformed'],
  ['an open string', '{"a', 'json_malformed'],
  ['a bad escape', '["\\x"]', 'json_malformed'],
  ['a leading zero', '[01]', 'json_malformed'],
  ['a control character', '["a\nb"]', 'json_malformed'],
  ['a comment', '{}//', 'json_malformed'],
]
for (const [what, text, reason] of REFUSED) {
  test(`${what} is refused [attack 100, 102, 103, 96] (RFC 7493)`, () => {
    assert.throws(() => parseStrictJson(bytes(text)), refusal('invalid_request', reason))
    assert.throws(() => parseStrictJsonText(text), refusal('invalid_request', reason))
  })
}

test('numbers and names at the edge of what is refused are kept [attack 100]', () => {
  const text =
    '{"a":1e+21,"b":9007199254740991,"c":-0.0,"d":9007199254740993.0,"constructor":1,"prototype":{"prototype":2}}'
  assert.equal(
    JSON.stringify(parseStrictJsonText(text)),
    '{"a":1e+21,"b":9007199254740991,"c":0,"d":9007199254740992,"constructor":1,"prototype":{"prototype":2}}',
  )
  assert.doesNotThrow(() => parseStrictJsonText(`${'['.repeat(32)}${']'.repeat(32)}`))
  assert.deepEqual(parseStrictJsonText('{"a":{"k":1},"b":{"k":2}}'), { a: { k: 1 }, b: { k: 2 } })
})

test('bytes that are not UTF-8 are refused, never replaced [attack 102]', () => {
  const wrong = [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0xaf, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xf0, 0x9f, 0x22],
  ]
  for (const text of wrong) {
    assert.throws(() => parseStrictJson(Uint8Array.from(text)), refusal('invalid_request', 'invalid_utf8'))
  }
})

test('deep, wide and adversarial texts are answered quickly [attack 103, 112]', () => {
  const texts = [
    '['.repeat(200_000),
    '{"a":'.repeat(200_000),
    `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":1`).join(',')}}`,
    `"${'\\'.repeat(65_536)}`,
    '"'.repeat(65_536),
    `[${'1'.repeat(65_536)}]`,
    `["${'\\u0061'.repeat(10_000)}"]`,
    '-'.repeat(65_536),
    `{"a"${' '.repeat(65_536)}:1}`,
    '"a" '.repeat(16_384),
  ]
  for (const text of texts) {
    const took = elapsed(() => parseStrictJson(bytes(text)))
    assert.ok(took < 100, `${text.slice(0, 12)} took ${took} ms`)
  }
  const wide = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',')}}`
  assert.doesNotThrow(() => parseStrictJsonText(wide(10_000)))
  assert.throws(() => parseStrictJsonText(wide(10_001)), refusal('invalid_request', 'json_members'))
  assert.throws(() => parseStrictJsonText('['.repeat(200_000)), refusal('invalid_request', 'json_depth'))
})
