import assert from 'node:assert/strict'
import fc from 'fast-check'
import { z } from 'zod'
import { formatScope, isScopeToken, parseScope, splitScope } from '../../src/protocol/scope.ts'
import { edited } from '../edited.ts'
import { readSoon } from '../linear.ts'
import { agree, outcome } from '../outcome.ts'
import { target } from '../target.ts'

const scopeToken = fc.oneof(
  { arbitrary: fc.constantFrom('read', 'write', 'repo:write', 'a', 'A', '!', '~', '#['), weight: 4 },
  {
    arbitrary: fc.string({ unit: fc.integer({ min: 0x20, max: 0x7f }).map(code => String.fromCharCode(code)) }),
    weight: 1,
  },
  { arbitrary: fc.integer({ min: 250, max: 260 }).map(length => 'a'.repeat(length)), weight: 1 },
)
const scope = fc.oneof(
  { arbitrary: fc.array(scopeToken, { maxLength: 6 }).map(all => all.join(' ')), weight: 6 },
  {
    arbitrary: fc.integer({ min: 62, max: 66 }).map(n => Array.from({ length: n }, (_, at) => `s${at}`).join(' ')),
    weight: 1,
  },
)

/** RFC 6749 section 3.3: NQCHAR, one space between two, and the bounds of ours; none twice. */
function model(text: string): readonly string[] | undefined {
  const tokens: string[] = []
  let token = ''
  for (const unit of `${text} `) {
    if (unit !== ' ') {
      if (unit < '!' || unit > '~' || unit === '"' || unit === '\\') return undefined
      token += unit
      continue
    }
    if (token === '' || token.length > 256 || tokens.includes(token)) return undefined
    tokens.push(token)
    token = ''
  }
  return tokens.length <= 64 ? tokens : undefined
}

export const scopes = target({
  name: 'f11',
  rule: 'a scope is split as RFC 6749 section 3.3 says, in linear time',
  input: z.object({ scope: z.string(), head: z.string(), pump: z.string(), tail: z.string() }),
  arbitrary: fc.record({
    scope: edited(scope, [' ', '  ', '\t', '\n', '"', '\\', '\u00a0', '\u007f', ','], 2),
    head: fc.string({ maxLength: 3 }),
    pump: fc.oneof(fc.constantFrom(' ', 'a', 'a ', ' a', 'a b '), fc.string({ minLength: 1, maxLength: 4 })),
    tail: fc.string({ maxLength: 3 }),
  }),
  shortRuns: 250,
  holds({ scope: text, ...pump }) {
    readSoon(long => [splitScope(long), isScopeToken(long)], pump, `a scope of ${JSON.stringify(pump)}`)
    readSoon(splitScope, pump, 'the longest scope', 16_440)
    const read = outcome(() => parseScope(text), 'invalid_scope')
    const tokens = model(text)
    agree('value' in read, tokens !== undefined, text)
    assert.deepEqual(splitScope(text), tokens)
    assert.equal(isScopeToken(text), tokens?.length === 1)
    if ('value' in read) assert.equal(formatScope(read.value), text)
  },
})
