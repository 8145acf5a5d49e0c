import type { FastifyRequest } from 'fastify'
import { OAuthError } from '../../protocol/errors.ts'
import type { App } from './app-type.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Health, readiness and metrics are asked for by address (protocol.md section 11). */
    anyHost?: true
  }
}

const DEFAULT_PORT: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/** The Host values that name the listener behind these URLs, in lower case; with and without a default port. */
export function hostNames(urls: readonly string[]): ReadonlySet<string> {
  return new Set(
    urls.flatMap(text => {
      const { host, hostname, port, protocol } = new URL(text)
      return port === '' ? [host, `${hostname}:${DEFAULT_PORT[protocol]}`] : [host]
    }),
  )
}

/**
 * Refuses what two readers of one request could read differently, before anything else looks at it (attacks.md 31, 36,
 * 47, 106, 107): Node joins or drops repeated headers and routes absolute-form targets.
 */
export function guardRequests(app: App, hosts: ReadonlySet<string>): void {
  app.addHook('onRequest', async request => {
    const headers = countHeaders(request)
    if (!request.raw.url?.startsWith('/')) throw refusal('The request target must be a path.', 'request_target')
    // Postgres keeps no U+0000: refused here once, as in forms and JSON.
    if (request.raw.url.includes('%00')) throw refusal('The request target contains U+0000.', 'request_target_nul')
    if (headers.get('host') !== 1) throw refusal('Exactly one Host header is required.', 'host_header')
    if (repeats(headers, 'authorization')) throw refusal('Send one Authorization header.', 'authorization_header')
    if (repeats(headers, 'content-type')) throw refusal('Send one Content-Type header.', 'content_type_header')
    if (repeats(headers, 'dpop')) {
      throw new OAuthError('invalid_dpop_proof', 'Send one DPoP header.', { reason: 'dpop_header' })
    }
    const host = request.raw.headers.host?.toLowerCase() ?? ''
    if (!request.routeOptions.config.anyHost && !hosts.has(host)) {
      throw refusal('The Host header does not name this server.', 'host_name')
    }
  })
}

function countHeaders(request: FastifyRequest): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  request.raw.rawHeaders.forEach((name, index) => {
    if (index % 2 === 0) counts.set(name.toLowerCase(), (counts.get(name.toLowerCase()) ?? 0) + 1)
  })
  return counts
}

function repeats(headers: ReadonlyMap<string, number>, name: string): boolean {
  return (headers.get(name) ?? 0) > 1
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
