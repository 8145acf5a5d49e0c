import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseStrictForm } from '../../src/protocol/form.ts'
import { elapsed, refusal } from './forge.ts'

const parse = (text: string) => ({ ...parseStrictForm(new TextEncoder().encode(text)) })

test('a form is decoded; a parameter without a value is absent (RFC 6749 section 3.1)', () => {
  assert.deepEqual(parse('grant_type=client_credentials&scope=a+b%20c&x=%F0%9F%A4%96&empty=&bare&a=b=c&'), {
    grant_type: 'client_credentials',
    scope: 'a b c',
    x: '🤖',
    a: 'b=c',
  })
  assert.deepEqual(parse(''), {})
})

test('a parameter sent twice is refused, in any spelling [attack 99] (RFC 6749 section 3.2)', () => {
  for (const text of ['scope=a&scope=a', 'scope=a&sc%6Fpe=b', 'scope=&scope=a', 'a+b=1&a%20b=2']) {
    assert.throws(() => parse(text), refusal('invalid_request', 'repeated_parameter'))
  }
  assert.throws(() => parse('resource=a&resource=b'), refusal('invalid_target', 'several_resources'))
  assert.throws(() => parse('audience=a&audience=b'), refusal('invalid_target', 'several_resources'))
})

test('malformed escapes, bytes that are not UTF-8 and NUL are refused [attack 102]', () => {
  for (const text of ['a=%', 'a=%4', 'a=%zz', '%=1', 'a=%u0041']) {
    assert.throws(() => parse(text), refusal('invalid_request', 'malformed_percent_encoding'), text)
  }
  for (const text of ['a=%ff', 'a=%C0%AF', 'a=%ED%A0%80', '%ff=a', 'a=%F0%9F']) {
    assert.throws(() => parse(text), refusal('invalid_request', 'invalid_utf8'), text)
  }
  assert.throws(() => parseStrictForm(Uint8Array.of(0x61, 0x3d, 0xff)), refusal('invalid_request', 'invalid_utf8'))
  for (const text of ['a=%00', '%00=a', 'a=\0']) {
    assert.throws(() => parse(text), refusal('invalid_request', 'form_nul'), text)
  }
})

test('prototype names change nothing [attack 96]', () => {
  assert.throws(() => parse('__proto__=1'), refusal('invalid_request', 'forbidden_parameter'))
  assert.throws(() => parse('%5f_proto__'), refusal('invalid_request', 'forbidden_parameter'))
  const form = parseStrictForm(new TextEncoder().encode('a=1'))
  assert.equal(Object.getPrototypeOf(form), null)
  assert.equal(form.toString, undefined)
})

test('64 parameters are taken, 65 are not, 100,000 are refused quickly [attack 103]', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `p${i}=1`).join('&')
  assert.equal(Object.keys(parse(many(64))).length, 64)
  assert.throws(() => parse(many(65)), refusal('invalid_request', 'too_many_parameters'))
  for (const text of [many(100_000), '&'.repeat(65_536), '%'.repeat(65_536), `a=${'%41'.repeat(21_845)}`]) {
    assert.ok(elapsed(() => parse(text)) < 100)
  }
})
