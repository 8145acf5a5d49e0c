import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { z } from 'zod'
import { parseStrictForm } from '../../src/protocol/form.ts'
import { formAsJson, OAUTH_GRANTS, parseTokenRequest } from '../../src/protocol/token-request.ts'
import { bytesOf, edited } from '../edited.ts'
import { jsonText } from '../json-text.ts'
import { agree, outcome } from '../outcome.ts'
import { target } from '../target.ts'

const NAMES = ['grant_type', 'scope', 'resource', 'audience', 'agent_id', 'computed_checksum', 'requested_scopes']
const MORE = ['workflow_step', 'delegation_context', 'authorization_details', 'client_id', '__proto__', 'toString', 'a']
const VALUES = ['agent_checksum', 'client_credentials', 'read', 'read write', 'https://a.example', 'x', 'a'.repeat(64)]

const half = fc.oneof(
  { arbitrary: fc.constantFrom(...NAMES, ...MORE, ...VALUES, ''), weight: 4 },
  { arbitrary: jsonText, weight: 1 },
  { arbitrary: fc.string({ unit: 'grapheme', maxLength: 4 }), weight: 1 },
)
const pair = fc.tuple(half, fc.constantFrom('=', '=', '=', '', '=='), half).map(([name, equals, value]) => {
  const [left, right] = [name, value].map(text => new URLSearchParams({ '': text }).toString().slice(1))
  return `${left}${equals}${equals === '' ? '' : right}`
})
/** About as many as may be sent, each of another name. */
const many = fc.integer({ min: 62, max: 67 }).map(n => Array.from({ length: n }, (_, at) => `n${at}=1`).join('&'))
const form = fc.oneof(
  { arbitrary: fc.array(pair, { maxLength: 8 }).map(pairs => pairs.join('&')), weight: 8 },
  { arbitrary: many, weight: 1 },
)
const body = fc.oneof(
  form,
  edited(form, ['&', '=', '%', '%0', '%00', '%ff', '%41', '+', ';', '&&', '\ufeff', '\u0000']),
)

/** What the bytes say as a form, by the URL standard; undefined where two readers could differ, or one is said twice. */
function readForm(bytes: string): Readonly<Record<string, string>> | undefined {
  const decoded = bytes.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  const isText = [bytes, decoded].every(all => isUtf8(Buffer.from(all, 'latin1')))
  const hasStray = /%(?![0-9A-Fa-f][0-9A-Fa-f])/.test(bytes)
  if (!isText || hasStray || bytes.split('&').length > 64) return undefined
  // The URL standard would take a question mark away from the start.
  const read = [...new URLSearchParams(`&${Buffer.from(bytes, 'latin1').toString('utf8')}`)]
  const names = new Set(read.map(([name]) => name))
  if (names.size < read.length || names.has('__proto__') || read.flat().some(half => half.includes('\0')))
    return undefined
  return Object.fromEntries(read.filter(([, value]) => value !== ''))
}

export const tokenForm = target({
  name: 'f04',
  rule: 'a form is read as the URL standard reads it, or refused (RFC 6749 section 3.2 and appendix B)',
  input: z.string(),
  arbitrary: bytesOf(body),
  shortRuns: 400,
  holds(text) {
    const read = outcome(() => parseStrictForm(Buffer.from(text, 'latin1')), 'invalid_request', 'invalid_target')
    const model = readForm(text)
    agree('value' in read, model !== undefined, text)
    if (!('value' in read)) return
    assert.deepEqual({ ...read.value }, model)
    assert.equal(Object.getPrototypeOf(read.value), null)
    outcome(
      () => parseTokenRequest(formAsJson(read.value), OAUTH_GRANTS),
      ...['invalid_request' as const, 'unsupported_grant_type' as const, 'invalid_scope' as const],
      ...['invalid_target' as const, 'invalid_authorization_details' as const],
    )
  },
})
