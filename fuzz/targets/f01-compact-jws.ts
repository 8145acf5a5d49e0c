import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import { parseCompactJws } from '../../src/protocol/compact-jws.ts'
import { isJsonObject, type JsonObject } from '../../src/protocol/json.ts'
import { edited } from '../edited.ts'
import { jsonObjectText } from '../json-text.ts'
import { agree, outcome } from '../outcome.ts'
import { readStrictJson } from '../reference/strict-json.ts'
import { target } from '../target.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NEVER = ['crit', 'b64', 'jku', 'x5u', 'x5c']
const OWN_NEVER = ['x5t', 'x5t#S256']

const header = fc.oneof(
  { arbitrary: jsonObjectText, weight: 1 },
  {
    arbitrary: fc
      .record(
        {
          alg: fc.constantFrom('ES256', 'none', '', 1, null),
          typ: fc.constantFrom('at+jwt', 'JWT', '', 1, null, []),
          kid: fc.constantFrom('k', '', ' ', '\u00e9', 'k'.repeat(128), 'k'.repeat(129), 1, null, 'a\nb'),
          more: fc.constantFrom(...NEVER, ...OWN_NEVER, 'jwk', 'zip', 'CRIT'),
        },
        { requiredKeys: [] },
      )
      .map(({ more, ...rest }) => JSON.stringify({ ...rest, ...(more !== undefined && { [more]: ['x'] }) })),
    weight: 2,
  },
)

const token = fc
  .tuple(header, jsonObjectText, fc.uint8Array({ minLength: 1, maxLength: 66 }))
  .map(parts => parts.map(part => Buffer.from(part).toString('base64url')).join('.'))

/** The strict form, character by character: RFC 7515 section 7.1, RFC 4648 section 3.5, attacks.md 1 to 14. */
function isStrict(text: string, isForeign: boolean): boolean {
  const parts = text.split('.')
  if (text.length > 16_384 || parts.length !== 3 || !parts.every(isOneSpelling)) return false
  const [header, payload] = parts.slice(0, 2).map(objectIn)
  if (!header || !payload) return false
  const refused = isForeign ? NEVER : [...NEVER, ...OWN_NEVER]
  const { alg, typ = '', kid = 'absent' } = header
  const isKid = typeof kid === 'string' && /^[ -~]+$/.test(kid) && kid.length <= 128
  return typeof alg === 'string' && typeof typ === 'string' && isKid && !refused.some(name => name in header)
}

/** Only known characters, no impossible length, and no bits beyond the last byte. */
function isOneSpelling(part: string): boolean {
  const digits = [...part].map(char => ALPHABET.indexOf(char))
  const spare = [0, undefined, 0b1111, 0b11][part.length % 4]
  return digits.length > 0 && !digits.includes(-1) && spare !== undefined && ((digits.at(-1) ?? 0) & spare) === 0
}

function objectIn(part: string): JsonObject | undefined {
  const bytes = Buffer.from(part, 'base64url')
  const read = isUtf8(bytes) ? readStrictJson(bytes.toString('utf8')) : undefined
  return isJsonObject(read?.value) ? read.value : undefined
}

export const compactJws = target({
  name: 'f01',
  rule: 'one token has one spelling, and what is read of it is what others read (RFC 7515 section 7.1)',
  input: z.string(),
  arbitrary: fc.oneof(
    { arbitrary: token, weight: 2 },
    // The last character alone: its lowest bits may be beyond the last byte.
    {
      arbitrary: fc
        .tuple(token, fc.constantFrom('A', 'B', 'E', 'Q', '_'))
        .map(([text, end]) => text.slice(0, -1) + end),
      weight: 1,
    },
    { arbitrary: edited(token, ['.', '=', '+', '/', 'A', ' ', '\n', '{}', '..', '\u00e9']), weight: 2 },
  ),
  shortRuns: 250,
  holds(text) {
    for (const isForeign of [false, true]) {
      const read = outcome(() => parseCompactJws(text, { isForeign }), 'invalid_request')
      agree('value' in read, isStrict(text, isForeign), { text, isForeign })
      if (!('value' in read)) continue
      const { header, payload, signingInput, signature } = read.value
      assert.equal(`${signingInput}.${Buffer.from(signature).toString('base64url')}`, text)
      assert.deepEqual({ ...decodeProtectedHeader(text) }, { ...header })
      assert.deepEqual(payload, objectIn(text.split('.')[1] ?? ''))
    }
  },
})
