import { OAuthError } from './errors.ts'
import { decodeUtf8 } from './json.ts'

const MAX_PARAMETERS = 64
/** RFC 8707 section 2: several targets are a matter of the target, not of the shape. */
const TARGETS: ReadonlySet<string> = new Set(['resource', 'audience'])

/**
 * Parses an application/x-www-form-urlencoded body into an object without prototype. A parameter without a value is
 * absent (RFC 6749 section 3.1); one sent twice is refused (section 3.2). Throws `invalid_request`, `invalid_target`.
 */
export function parseStrictForm(bytes: Uint8Array): Record<string, string> {
  const form: Record<string, string> = Object.create(null)
  const text = decodeUtf8(bytes)
  if (text === '') return form
  const pairs = text.split('&', MAX_PARAMETERS + 1)
  if (pairs.length > MAX_PARAMETERS) throw refusal('The form has too many parameters.', 'too_many_parameters')
  const seen = new Set<string>()
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals))
    const value = decode(equals === -1 ? '' : pair.slice(equals + 1))
    if (name === '__proto__') throw refusal('The form has a parameter of a forbidden name.', 'forbidden_parameter')
    if (seen.has(name)) throw repeated(name)
    seen.add(name)
    if (value !== '') form[name] = value
  }
  return form
}

function decode(encoded: string): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(encoded)) {
    throw refusal('The form has a malformed percent-encoding.', 'malformed_percent_encoding')
  }
  const text = decodeUtf8Escapes(encoded.replaceAll('+', ' '))
  if (text.includes('\u0000')) throw refusal('The form contains U+0000.', 'form_nul')
  return text
}

function decodeUtf8Escapes(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch (cause) {
    throw refusal('The form is not valid UTF-8.', 'invalid_utf8', cause)
  }
}

function repeated(name: string): OAuthError {
  if (TARGETS.has(name)) {
    return new OAuthError('invalid_target', 'One request may name one resource only.', { reason: 'several_resources' })
  }
  return refusal('A parameter was sent more than once.', 'repeated_parameter')
}

function refusal(description: string, reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_request', description, { reason, cause })
}
