import fc from 'fast-check'
import { edited } from './edited.ts'

/** Names that parsers stumble over. */
const NAMES = ['a', 'b', 'a', '', '__proto__', 'constructor', 'prototype', 'toJSON', '10', '9', '\u{1f600}', '\ufb33']
const NUMBERS = [
  '0',
  '-0',
  '0.0',
  '1e21',
  '1E-7',
  '-1.50',
  '9007199254740991',
  '9007199254740992',
  '1e999',
  '01',
  '5e-324',
  '1e16',
  '1e15',
  '1E-5',
  '0.0001',
  '123456789012345680.0',
]
const ESCAPES = [
  '\\u0061',
  '\\u0000',
  '\\ud800',
  '\\udc00\\ud800',
  '\\ud83d\\ude00',
  '\\/',
  '\\n',
  '\\x',
  '\u2028',
  '\u007f',
]
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  ' ',
  '\n',
  '\ufeff',
  '\u0000',
  '-',
  '.',
  'e',
  '0',
  'null',
  '//',
]

/** What reaches a prototype, and what does not. */
const ODD = ['{"constructor":{"prototype":{}}}', '{"constructor":[{"prototype":0}]}', '{"prototype":{"prototype":1}}']

const space = fc.oneof(
  { arbitrary: fc.constant(''), weight: 6 },
  { arbitrary: fc.constantFrom(' ', '\n', '\t', '\r '), weight: 1 },
)
const text = fc.oneof(
  { arbitrary: fc.constantFrom(...NAMES).map(name => JSON.stringify(name)), weight: 4 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 6 }).map(chars => JSON.stringify(chars)), weight: 3 },
  {
    arbitrary: fc.array(fc.constantFrom(...ESCAPES, 'a'), { maxLength: 3 }).map(all => `"${all.join('')}"`),
    weight: 2,
  },
)
const number = fc.oneof(
  fc.constantFrom(...NUMBERS),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
)

const json = fc.letrec<{ value: string; object: string }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    number,
    fc.constantFrom('true', 'false', 'null', ...ODD),
    fc
      .array(
        fc.tuple(space, tie('value')).map(parts => parts.join('')),
        { maxLength: 4 },
      )
      .map(all => `[${all.join(',')}]`),
    tie('object'),
  ),
  object: fc
    .array(
      fc.tuple(space, text, space, fc.constant(':'), space, tie('value'), space).map(parts => parts.join('')),
      {
        maxLength: 5,
      },
    )
    .map(all => `{${all.join(',')}}`),
}))

/** JSON texts, most of them well-formed: odd names, numbers as they can be written, escapes, space, names twice. */
export const jsonText: fc.Arbitrary<string> = fc.oneof(json.value, edited(json.value, PIECES))

/** The same, but objects. */
export const jsonObjectText: fc.Arbitrary<string> = fc.oneof(json.object, edited(json.object, PIECES))
