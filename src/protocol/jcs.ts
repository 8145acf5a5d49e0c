import { OAuthError } from './errors.ts'
import { isJsonObject, type JsonObject } from './json.ts'

/**
 * RFC 8785 JCS text of a JSON value; members that are undefined are left out. Throws `invalid_request` for a value that
 * JSON cannot carry (NaN, lone surrogates, cycles).
 */
export function canonicalJson(value: unknown): string {
  try {
    const text = textOf(value)
    if (text !== undefined) return text
  } catch (cause) {
    throw refusal(cause)
  }
  throw refusal()
}

/** Undefined for what `JSON.stringify` leaves out, whose numbers and escapes are those of RFC 8785 section 3.2.2. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return stringText(value)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('The number is not finite.')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if ('toJSON' in value && typeof value.toJSON === 'function') return textOf(value.toJSON())
  if (isJsonObject(value)) return objectText(value)
  // `Array.from` sees the holes too.
  return Array.isArray(value) ? `[${Array.from(value, item => textOf(item) ?? 'null').join(',')}]` : undefined
}

function objectText(object: JsonObject): string {
  let members = ''
  // By UTF-16 code units, as RFC 8785 section 3.2.3 has it.
  for (const name of Object.keys(object).sort()) {
    const text = textOf(object[name])
    if (text !== undefined) members += `${members === '' ? '' : ','}${stringText(name)}:${text}`
  }
  return `{${members}}`
}

/** What needs no escape. */
const PLAIN = /^[ !#-[\]-~]*$/

function stringText(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  if (text.isWellFormed()) return JSON.stringify(text)
  throw new RangeError('The text has a lone surrogate.')
}

function refusal(cause?: unknown): OAuthError {
  return new OAuthError('invalid_request', 'The value has no canonical JSON form.', {
    reason: 'json_not_canonical',
    cause,
  })
}
