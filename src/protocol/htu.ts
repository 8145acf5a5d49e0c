const MAX_LENGTH = 4096
const HTTP_URI = /^(https?):\/\/([^/?#]+)([^?#]*)/i
const VISIBLE = /^[\x21-\x5b\x5d-\x7e]+$/
const HOST = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([1-9][0-9]{0,4}))?$/
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i
const DEFAULT_PORT: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * The form in which two `htu` values are compared (RFC 9449 section 4.3): scheme and host in lower case, no default
 * port, no query, no fragment; the path as sent. Undefined for what is no plain http URI: userinfo, backslash,
 * non-ASCII, dot segments.
 */
export function normaliseHtu(url: string): string | undefined {
  if (url.length > MAX_LENGTH || !VISIBLE.test(url)) return undefined
  const [, scheme = '', authority = '', path = ''] = HTTP_URI.exec(url) ?? []
  const [, host, port] = HOST.exec(authority) ?? []
  if (host === undefined || DOT_SEGMENT.test(path)) return undefined
  const protocol = scheme.toLowerCase()
  const shownPort = port === undefined || port === DEFAULT_PORT[protocol] ? '' : `:${port}`
  return `${protocol}://${host.toLowerCase()}${shownPort}${path === '' ? '/' : path}`
}
