import type { IncomingMessage } from 'node:http'
import { OAuthError } from '../../protocol/errors.ts'
import { headerValues } from './presented-request.ts'

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const PARAMETER = `[ \\t]*;[ \\t]*(${TOKEN})=(${TOKEN}|"[^"\\\\]*")`
const MEDIA_TYPE = new RegExp(`^(${TOKEN}/${TOKEN})((?:${PARAMETER})*)$`)
const PARAMETERS = new RegExp(PARAMETER, 'g')
const JSON_TYPE = /^(application\/json|.+\+json)$/i

/**
 * Neither a proof nor an approval covers these headers, and whoever changes them changes what a parser makes of the same
 * bytes: a body that is judged is read by everybody as it stands, and its text as UTF-8 (RFC 9110 sections 8.3 and 8.4).
 * Throws `invalid_request`, 415.
 */
export function checkBodyHeaders(request: IncomingMessage): void {
  if (headerValues(request, 'content-encoding').some(value => value.toLowerCase() !== 'identity')) {
    throw unsupported('Send the body without Content-Encoding.', 'body_encoded')
  }
  const types = headerValues(request, 'content-type')
  if (types.length > 1 || !types.every(isUtf8)) {
    throw unsupported('Send one Content-Type, whose charset is utf-8 or not named.', 'body_charset')
  }
}

/** An approval is of JSON: nobody may read the body as a form that only looks like it. Throws `invalid_request`, 415. */
export function checkJsonType(request: IncomingMessage): void {
  const [type = ''] = headerValues(request, 'content-type')
  if (!JSON_TYPE.test(MEDIA_TYPE.exec(type)?.[1] ?? '')) {
    throw unsupported('Send the body as application/json.', 'body_no_json_type')
  }
}

function isUtf8(type: string): boolean {
  const parameters = MEDIA_TYPE.exec(type)?.[2]
  if (parameters === undefined) return false
  return [...parameters.matchAll(PARAMETERS)].every(([, name = '', value = '']) => {
    return !/^charset/i.test(name) || /^("?)utf-8\1$/i.test(value)
  })
}

function unsupported(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason, status: 415 })
}
