import type { IncomingMessage } from 'node:http'
import { OAuthError } from '../../protocol/errors.ts'
import type { PresentedRequest } from '../verify.ts'

/**
 * What of a request the verifier judges, read as it was sent: Node keeps the first of two Authorization headers and joins
 * two DPoP headers (attacks.md 31, 47), and routes a whole URL as if it were a path (attacks.md 36).
 */
export function presentedRequest(request: IncomingMessage, publicUrl: string): Omit<PresentedRequest, 'body'> {
  const target = requestTarget(request)
  if (!target.startsWith('/')) throw refusal('The request target must be a path.', 'request_target')
  const [authorization, ...authorizations] = headerValues(request, 'authorization')
  const [dpop, ...proofs] = headerValues(request, 'dpop')
  if (authorizations.length > 0) throw refusal('Send one Authorization header.', 'authorization_header')
  if (proofs.length > 0) throw new OAuthError('invalid_dpop_proof', 'Send one DPoP header.', { reason: 'dpop_header' })
  return { authorization, dpop, method: request.method ?? '', url: `${publicUrl}${pathOf(target)}` }
}

/** The target as it came: routers shorten `url` and keep the whole beside it. */
export function requestTarget(request: IncomingMessage): string {
  const original = 'originalUrl' in request ? request.originalUrl : undefined
  return typeof original === 'string' ? original : (request.url ?? '')
}

/** A request target without its query. */
export function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? ''
}

/** Every value of a header as it was sent: Node keeps one of several, or joins them. */
export function headerValues({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
