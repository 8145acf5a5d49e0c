import type { FastifyRequest } from 'fastify'
import type { Config } from '../config.ts'

/** In whose words a request is refused: stock OAuth, the draft's, or RFC 9457. */
export type Surface = 'oauth' | 'intent' | 'problem'

/** The surface of a request, by its path below the issuer (protocol.md section 10). */
export function surfaceOf(request: FastifyRequest, config: Config): Surface {
  const path = request.url.slice(pathOf(config.issuer).length)
  if (path.startsWith('/oauth/')) return 'oauth'
  return path.startsWith('/intent/') ? 'intent' : 'problem'
}

/** The path of a base URL, without a closing slash: where its routes are mounted. */
export function pathOf(baseUrl: string): string {
  return new URL(baseUrl).pathname.replace(/\/$/, '')
}
