import type { FastifyRequest } from 'fastify'
import { OAuthError } from '../../../protocol/errors.ts'
import type { Context } from '../../context.ts'
import { findSignedIn, type SignedIn } from '../../registry/console-sessions.ts'
import { demandSameOrigin } from './same-origin.ts'

/**
 * Who is signed in by this secret of a cookie. A session is a bearer credential, so a request that carries it must also
 * show that the page of this listener sent it, by the marker that only this origin was given: browsers send the cookie to
 * every port of the host. Throws Problem `forbidden`, OAuthError `invalid_token`.
 */
export async function authenticateSession(ctx: Context, request: FastifyRequest, secret: string): Promise<SignedIn> {
  const marker = demandSameOrigin(request, ctx.config.adminUrl)
  const origin = { request_id: request.id, address: request.ip }
  const signedIn = await findSignedIn(ctx, { secret, marker }, origin)
  if (signedIn) return signedIn
  throw new OAuthError('invalid_token', 'The console session is over; run "remit console" for a new link.', {
    reason: 'console_session_over',
  })
}
