import canonicalize from 'canonicalize'
import { OAuthError } from './errors.ts'

/** RFC 8785 JCS text of a JSON value. Throws `invalid_request` for a value that JSON cannot carry (NaN, lone surrogates). */
export function canonicalJson(value: unknown): string {
  try {
    const text = canonicalize(value)
    if (text !== undefined) return text
  } catch (cause) {
    throw refusal(cause)
  }
  throw refusal()
}

function refusal(cause?: unknown): OAuthError {
  return new OAuthError('invalid_request', 'The value has no canonical JSON form.', {
    reason: 'json_not_canonical',
    cause,
  })
}
