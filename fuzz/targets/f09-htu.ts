import assert from 'node:assert/strict'
import fc from 'fast-check'
import { z } from 'zod'
import { normaliseHtu } from '../../src/protocol/htu.ts'
import { edited } from '../edited.ts'
import { agree } from '../outcome.ts'
import { target } from '../target.ts'

const SCHEMES = ['https', 'http', 'HTTPS', 'hTTp', 'ftp', 'httpss', '']
const HOSTS = [
  'as.example',
  'AS.example',
  '127.0.0.1',
  '0x7f.1',
  '[::1]',
  '[2001:DB8::1]',
  'a_b',
  'u@as.example',
  '',
  'as.example.',
]
const PORTS = ['', '', ':443', ':80', ':8443', ':0443', ':', ':0', ':65535', ':99999']
const PATHS = [
  '',
  '/',
  '/oauth/token',
  '/OAUTH/token',
  '//',
  '/./a',
  '/a/../b',
  '/%2e%2E/a',
  '/%2F',
  '/a%20',
  '/..a',
  '/...',
]
const ENDS = ['', '', '?a=b', '#c', '?a#b', '?', '#', '?/../']
const PIECES = ['/', '\\', '@', ':', '?', '#', '.', '/../', '%2e', '%', ' ', '\t', '\n', '[', ']', '\u0430', 'A', '//']

const url = fc
  .tuple(
    ...[SCHEMES, ['://', '://', '://', ':', ':/', ':///'], HOSTS, PORTS, PATHS, ENDS].map(all =>
      fc.constantFrom(...all),
    ),
  )
  .map(parts => parts.join(''))

/** RFC 3986 appendix B, and what of it may be an htu: RFC 9449 section 4.3 with attacks.md 35 and 36. */
function model(text: string): string | undefined {
  const [, scheme, , authority, path = ''] = /^([^:/?#]+):(\/\/([^/?#]*))([^?#]*)/.exec(text) ?? []
  const plain = [...text].every(char => char > ' ' && char < '\u007f' && char !== '\\')
  if (scheme === undefined || authority === undefined || !plain || text.length > 4096) return undefined
  const name = scheme.toLowerCase()
  if (name !== 'https' && name !== 'http') return undefined
  const [, host = '', , port] = /^(\[[^\]]*\]|[^:]*)(:(.*))?$/.exec(authority) ?? []
  const isHost = /^\[[0-9a-f:.]+\]$/i.test(host) || /^[a-z0-9._-]+$/i.test(host)
  const isPort = port === undefined || (/^\d{1,5}$/.test(port) && !port.startsWith('0'))
  const segments = path.split('/').map(segment => segment.replace(/%2e/gi, '.'))
  if (!isHost || !isPort || segments.includes('.') || segments.includes('..')) return undefined
  const isDefault = port === undefined || port === (name === 'https' ? '443' : '80')
  return `${name}://${host.toLowerCase()}${isDefault ? '' : `:${port}`}${path || '/'}`
}

export const htu = target({
  name: 'f09',
  rule: 'htu is normalised as RFC 3986 says and no further, and never joins what WHATWG URL tells apart (RFC 9449 4.3)',
  input: z.object({ url: z.string(), other: z.string() }),
  arbitrary: fc.oneof(
    fc.record({ url: edited(url, PIECES), other: url }),
    edited(url, PIECES, 2).chain(one =>
      fc.record({ url: fc.constant(one), other: edited(fc.constant(one), PIECES, 2) }),
    ),
    fc.webUrl({ withQueryParameters: true, withFragments: true }).map(one => ({ url: one, other: one.toUpperCase() })),
  ),
  shortRuns: 600,
  holds({ url, other }) {
    const form = normaliseHtu(url)
    agree(form !== undefined, model(url) !== undefined, url)
    assert.equal(form, model(url))
    if (form === undefined) return
    assert.equal(normaliseHtu(form), form)
    const [sent, kept] = [URL.parse(url), URL.parse(form)]
    assert.equal(sent === null, kept === null)
    if (sent && kept) assert.equal(kept.href, sent.origin + sent.pathname)
    const theirs = URL.parse(other)
    if (form !== normaliseHtu(other) || !sent) return
    assert.equal(`${theirs?.origin}${theirs?.pathname}`, sent.origin + sent.pathname)
  },
})
