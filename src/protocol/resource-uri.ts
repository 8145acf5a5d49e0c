import { z } from 'zod'

const MAX_LENGTH = 512
/** The characters of RFC 3986 section 2 without `#`, percent-encodings whole. */
const ABSOLUTE_URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const HTTP = /^https?:/i
/** What a browser would run or open from a link: these name no API. */
const NO_API = /^(?:javascript|data|vbscript|blob):/i
const HTTP_WITH_HOST = /^https?:\/\/[^/?@]+(?:[/?]|$)/i

/** Whether the text is an absolute URI (RFC 8707 section 2) of at most 512 characters, without fragment, userinfo or code. */
export function isResourceUri(text: string): boolean {
  if (text.length > MAX_LENGTH || !ABSOLUTE_URI.test(text) || NO_API.test(text)) return false
  if (HTTP.test(text)) return HTTP_WITH_HOST.test(text)
  const authority = /^[^:]+:\/\/([^/?]*)/.exec(text)?.[1]
  return !authority?.includes('@')
}

/** A resource identifier, compared as an exact string (RFC 8707 section 2). */
export const resourceUriSchema = z
  .string()
  .max(MAX_LENGTH)
  .refine(isResourceUri, 'must be an absolute URI without fragment')
