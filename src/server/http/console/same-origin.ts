import type { FastifyRequest } from 'fastify'
import { Problem } from '../../../protocol/problem.ts'

/** What the page sends as its header to sign in: it has no marker yet. */
const NO_MARKER = '1'

/**
 * Refuses what did not come from a page of this listener (attacks.md 113). A cookie goes along with whatever a browser
 * is made to send; this header does not, and no answer of ours allows another origin to add it. @returns its value: the
 * marker, which is not looked up yet. Throws Problem `forbidden`.
 */
export function demandSameOrigin(request: FastifyRequest, adminUrl: string): string {
  const { 'x-remit-console': marker, 'sec-fetch-site': site, origin } = request.raw.headers
  if (typeof marker !== 'string') throw foreign('console_header')
  if (site !== undefined && site !== 'same-origin') throw foreign('console_site')
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (origin === undefined ? !isRead : origin !== new URL(adminUrl).origin) throw foreign('console_origin')
  return marker
}

/** Refuses a sign-in with any other value of that header than its own. Throws Problem `forbidden`. */
export function demandNoMarker(request: FastifyRequest): void {
  if (request.raw.headers['x-remit-console'] !== NO_MARKER) throw foreign('console_header')
}

function foreign(reason: string): Problem {
  return new Problem('forbidden', 'Only the console page of this server may use a console session.', reason)
}
