import { OAuthError } from './errors.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from './json.ts'

export type CompactJws = {
  header: JsonObject & { alg: string }
  payload: JsonObject
  /** Header and payload as they were sent: what the signature is over. */
  signingInput: string
  /** The very text of the header. */
  encodedHeader: string
  signature: Uint8Array
}

const MAX_LENGTH = 16_384
const BASE64URL = /^[A-Za-z0-9_-]+$/
const BASE64URL_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const KID = /^[\x20-\x7e]{1,128}$/
/** Extensions that we do not implement and key locations that a sender must not choose (RFC 8725 section 3.10). */
const REFUSED_HEADERS = ['crit', 'b64', 'jku', 'x5u', 'x5c'] as const
/** They only repeat which key it is: refused too, but for tokens of others, whose issuers do put them there. */
const CERTIFICATE_THUMBPRINTS = ['x5t', 'x5t#S256'] as const

/** Whether the text is base64url without padding in the one spelling that its bytes have (RFC 4648 section 3.5). */
export function isCanonicalBase64url(text: string): boolean {
  return canonicalBytes(text) !== undefined
}

/** By length modulo 4, the last characters whose bits beyond the last byte are zero. */
const CLEAR_ENDS: readonly (string | undefined)[] = [
  BASE64URL_ALPHABET,
  undefined,
  [...BASE64URL_ALPHABET].filter((_, n) => n % 16 === 0).join(''),
  [...BASE64URL_ALPHABET].filter((_, n) => n % 4 === 0).join(''),
]

function canonicalBytes(text: string): Buffer | undefined {
  const isCanonical = BASE64URL.test(text) && CLEAR_ENDS[text.length % 4]?.includes(text.slice(-1))
  return isCanonical ? Buffer.from(text, 'base64url') : undefined
}

/** Whether a value is a `kid` that we look up: 1 to 128 printable ASCII characters. */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && KID.test(value)
}

/**
 * Reads a JWS in compact form without judging its signature, so that one token has one spelling (RFC 8725 section 3;
 * RFC 7515 section 7.1). A foreign token is one of another issuer. Throws `invalid_request`; callers answer with their
 * own code.
 */
export function parseCompactJws(token: string, { isForeign = false }: { isForeign?: boolean } = {}): CompactJws {
  const parts = token.length > MAX_LENGTH ? [] : token.split('.', 4)
  if (parts.length !== 3) throw refusal('malformed_jws')
  const [encodedHeader = '', encodedPayload = '', encodedSignature = ''] = parts
  const headerBytes = canonicalBytes(encodedHeader)
  const payloadBytes = canonicalBytes(encodedPayload)
  const signature = canonicalBytes(encodedSignature)
  if (!headerBytes || !payloadBytes || !signature) throw refusal('malformed_jws')
  const header = readObject(headerBytes)
  const payload = readObject(payloadBytes)
  const { alg, typ, kid } = header
  const refused = isForeign ? REFUSED_HEADERS : [...REFUSED_HEADERS, ...CERTIFICATE_THUMBPRINTS]
  if (refused.some(name => Object.hasOwn(header, name))) throw refusal('jws_header_refused')
  if (typeof alg !== 'string' || (typ !== undefined && typeof typ !== 'string')) throw refusal('jws_header_refused')
  if (kid !== undefined && !isKid(kid)) throw refusal('jws_kid')
  const signingInput = `${encodedHeader}.${encodedPayload}`
  return { header: { ...header, alg }, payload, signingInput, encodedHeader, signature }
}

function readObject(bytes: Uint8Array): JsonObject {
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch (cause) {
    throw refusal('malformed_jws', cause)
  }
  if (!isJsonObject(value)) throw refusal('malformed_jws')
  return value
}

function refusal(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_request', 'The token is not a compact JWS in its strict form.', { reason, cause })
}
