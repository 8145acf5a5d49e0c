import type { FastifyRequest } from 'fastify'
import { Problem } from '../../../protocol/problem.ts'
import { SESSION_LIFETIME } from '../../registry/console-sessions.ts'
import { pathOf } from '../surface.ts'

/** The secret in the cookie of a console session; undefined where none was sent. Throws Problem for two of them. */
export function readSessionCookie(request: FastifyRequest, adminUrl: string): string | undefined {
  const prefix = `${cookieName(adminUrl)}=`
  const cookies = (request.raw.headers.cookie ?? '').split(';').map(text => text.trim())
  const [value, ...others] = cookies.filter(text => text.startsWith(prefix)).map(text => text.slice(prefix.length))
  if (others.length === 0) return value
  throw new Problem('invalid_request', 'Send one console cookie; delete the cookies of this site.', 'console_cookie')
}

/** Set-Cookie of a session that begins. */
export function sessionCookie(adminUrl: string, secret: string): string {
  return `${cookieName(adminUrl)}=${secret}; Max-Age=${SESSION_LIFETIME}; ${attributes(adminUrl)}`
}

/** Set-Cookie of a session that ended. */
export function endedCookie(adminUrl: string): string {
  return `${cookieName(adminUrl)}=; Max-Age=0; ${attributes(adminUrl)}`
}

/** On https no other host, and no page without TLS, can set a cookie of this name (RFC 6265bis section 4.1.3.2). */
function cookieName(adminUrl: string): string {
  return isHttps(adminUrl) ? '__Host-remit_console' : 'remit_console'
}

/** The prefix demands the path `/`. */
function attributes(adminUrl: string): string {
  const path = isHttps(adminUrl) ? '/' : pathOf(adminUrl) || '/'
  return `Path=${path}; HttpOnly; SameSite=Strict${isHttps(adminUrl) ? '; Secure' : ''}`
}

function isHttps(adminUrl: string): boolean {
  return adminUrl.startsWith('https:')
}
