import { OAuthError } from './errors.ts'

/**
 * Over http anybody on the way is the issuer, whose keys and whose tokens they are: https, or http on this machine alone.
 * Throws `invalid_request`.
 */
export function checkIssuerUrl(issuer: string): void {
  const url = URL.parse(issuer)
  if (url?.protocol === 'https:') return
  if (url?.protocol === 'http:' && LOOPBACK.test(url.hostname)) return
  throw new OAuthError('invalid_request', 'The issuer must be an https URL, or http on this machine.', {
    reason: 'issuer_url',
  })
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
