import assert from 'node:assert/strict'
import { test } from 'node:test'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { canonicalJson } from '../../src/protocol/jcs.ts'

const refused = { code: 'invalid_request', reason: 'json_not_canonical' }

test('[attack 86] two implementations agree on every JSON value (RFC 8785)', () => {
  const key = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('__proto__', 'toJSON', '10', '9', '\u{1f600}', '\ufb33'),
  )
  const value = fc.letrec(tie => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 6 }),
      fc.dictionary(key, tie('any'), { maxKeys: 6 }),
    ),
  })).any
  fc.assert(
    fc.property(value, json => {
      assert.equal(canonicalJson(json), canonicalize(json))
    }),
    { numRuns: 2000 },
  )
})

test('numbers, escapes and the order of names are those of RFC 8785 sections 3.2.2 and 3.2.3', () => {
  for (const [value, text] of [
    [
      [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27, -0, 1e21],
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21]',
    ],
    ['\u20ac$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'],
    [
      { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, ö: 7 },
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\u{1f600}":5,"\ufb33":3}',
    ],
  ] as const) {
    assert.equal(canonicalJson(value), text)
  }
})

test('what JSON leaves out is left out, as by JSON.stringify', () => {
  const sparse: unknown[] = [1]
  sparse[2] = undefined
  const value = { b: undefined, a: sparse, at: new Date(0), f: () => 1 }
  assert.equal(canonicalJson(value), '{"a":[1,null,null],"at":"1970-01-01T00:00:00.000Z"}')
})

test('a value that JSON cannot carry is refused: no number, a lone surrogate, a cycle, depth without end', () => {
  const cycle: Record<string, unknown> = {}
  cycle.again = cycle
  let deep: unknown = 1
  for (let level = 0; level < 100_000; level += 1) deep = [deep]
  const values = [
    Number.NaN,
    [Number.POSITIVE_INFINITY],
    '\ud800',
    { '\udc00': 1 },
    1n,
    undefined,
    () => 1,
    cycle,
    deep,
  ]
  for (const value of values) assert.throws(() => canonicalJson(value), refused)
})
