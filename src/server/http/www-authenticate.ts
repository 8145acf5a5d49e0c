import type { FastifyRequest } from 'fastify'
import { OAuthError } from '../../protocol/errors.ts'
import { challenge } from '../../verifier/challenge.ts'
import type { Context } from '../context.ts'
import { resourceMetadataUrl } from './own-urls.ts'
import type { Refusal } from './refusal.ts'
import type { Surface } from './surface.ts'

export type Challenge = { readonly status: number; readonly value: string }

const REALM = 'realm="remit"'

/** The WWW-Authenticate value of a refusal and its status, where one is due (protocol.md section 10). */
export function wwwAuthenticate(
  ctx: Context,
  request: FastifyRequest,
  surface: Surface,
  error: unknown,
  refusal: Refusal,
): Challenge | undefined {
  const permission = request.routeOptions.config.permission
  if (typeof permission === 'object') return resourceChallenge(ctx, request, permission, error)
  if (refusal.status !== 401) return undefined
  if (permission === 'bootstrap') return { status: 401, value: `Bearer ${REALM}` }
  const { authorization } = request.headers
  if (surface === 'oauth') {
    // Stock clients read this header before the body, and the body says more.
    return authorization === undefined ? undefined : { status: 401, value: schemeChallenge(authorization) }
  }
  const isBadToken = error instanceof OAuthError && error.code === 'invalid_token'
  return { status: 401, value: isBadToken ? `Bearer ${REALM}, error="invalid_token"` : `Bearer ${REALM}` }
}

type ResourcePermission = { readonly audience: 'issuer' | 'admin'; readonly scope: string }

/** Our own APIs are protected resources: a bad proof is 401 there (RFC 9449 section 7.1). */
function resourceChallenge(
  ctx: Context,
  request: FastifyRequest,
  { audience, scope }: ResourcePermission,
  error: unknown,
): Challenge | undefined {
  if (!(error instanceof OAuthError)) return undefined
  const scheme = audience === 'issuer' && /^bearer /i.test(request.headers.authorization ?? '') ? 'Bearer' : 'DPoP'
  const resource_metadata = resourceMetadataUrl(ctx.config, audience)
  switch (error.code) {
    case 'invalid_token':
    case 'invalid_dpop_proof':
      return { status: 401, value: challenge(error, { scheme, resource_metadata }) }
    case 'insufficient_scope':
      return { status: 403, value: challenge(error, { scheme, resource_metadata, scope }) }
    default:
      return undefined
  }
}

/** In the scheme that the client used (RFC 6749 section 5.2). */
function schemeChallenge(authorization: string): string {
  return /^(?:bearer|dpop) /i.test(authorization) ? `Bearer ${REALM}, error="invalid_token"` : `Basic ${REALM}`
}
