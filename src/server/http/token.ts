import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { issueNonce } from '../../protocol/dpop-nonce.ts'
import type { Dialect } from '../../protocol/errors.ts'
import { oauthErrorSchema } from '../../protocol/metadata.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { tokenEndpoint } from '../token/endpoint.ts'
import { introspect } from '../token/introspect.ts'
import { INTROSPECTION_JWT } from '../token/introspection-jwt.ts'
import { revokeToken } from '../token/revoke.ts'
import type { TokenHttp } from '../token/token-http.ts'
import type { App } from './app-type.ts'
import { bearerClientVerifier } from './bearer-auth.ts'
import { acceptForm, acceptJson, bodyMembers } from './strict-body.ts'

const tokenAnswerSchema = z.looseObject({
  access_token: z.string(),
  token_type: z.enum(['DPoP', 'Bearer']),
  expires_in: z.int(),
  scope: z.string(),
})
const formSchema = z.looseObject({}).meta({ description: 'Parameters of the grant, each at most once.' })
const jsonSchema = z.looseObject({}).meta({ description: 'Parameters of the agent grant (draft section 4).' })
const introspectionSchema = z.looseObject({ active: z.boolean() })
const refusals = { 400: oauthErrorSchema, 401: oauthErrorSchema, 503: oauthErrorSchema, 429: oauthErrorSchema }

/** POST /oauth/token, /oauth/introspect, /oauth/revoke: forms, in the words of stock OAuth. */
export async function oauthRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  acceptForm(app)
  const readHttp = httpReader(ctx, 'oauth')
  const config = { permission: 'client' } as const
  const about = { tags: ['tokens'], consumes: ['application/x-www-form-urlencoded'], body: formSchema }
  const token = { ...about, summary: 'Token endpoint (RFC 6749)', response: { 200: tokenAnswerSchema, ...refusals } }
  app.post(
    '/oauth/token',
    { config, schema: token, onSend: offerNonce(ctx), serializerCompiler: asParsed },
    async request => {
      return tokenAnswerSchema.parse((await tokenEndpoint(ctx, readHttp(request))).body)
    },
  )
  const introspection = {
    ...about,
    summary: 'Introspection (RFC 7662); signed for Accept: application/token-introspection+jwt (RFC 9701)',
    response: { 200: introspectionSchema, ...refusals },
  }
  app.post(
    '/oauth/introspect',
    { config, schema: introspection, serializerCompiler: asParsed },
    async (request, reply) => {
      const { body, signed } = await introspect(ctx, readHttp(request))
      // Caches must not give one form for the other.
      reply.header('vary', 'Accept')
      if (signed === undefined) return introspectionSchema.parse(body)
      // A serializer of our own: the response schema is that of the JSON form.
      reply.type(INTROSPECTION_JWT).serializer(() => signed)
      return introspectionSchema.parse(body)
    },
  )
  // One holds back every mint for a moment: many at once must not take all connections to wait for each other.
  const revoking = { ...ctx, db: ctx.pools.registration }
  const revocation = { ...about, summary: 'Revocation (RFC 7009)', response: { 200: z.looseObject({}), ...refusals } }
  app.post('/oauth/revoke', { config, schema: revocation }, async request => {
    return { ...(await revokeToken(revoking, readHttp(request))).body }
  })
}

/** POST /intent/token: the agent grant as JSON, in the draft's words. */
export async function intentTokenRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  acceptJson(app)
  const readHttp = httpReader(ctx, 'intent')
  const config = { permission: 'client' } as const
  const response = { 200: tokenAnswerSchema, ...refusals, 403: oauthErrorSchema }
  const schema = { summary: 'Intent token endpoint (A-JWT)', tags: ['tokens'], body: jsonSchema, response }
  app.post(
    '/intent/token',
    { config, schema, onSend: offerNonce(ctx), serializerCompiler: asParsed },
    async request => {
      return tokenAnswerSchema.parse((await tokenEndpoint(ctx, readHttp(request))).body)
    },
  )
}

/** What the handler has parsed by the schema of its answer is not parsed again. */
function asParsed() {
  return JSON.stringify
}

/** A nonce with every answer, refusals too (RFC 9449 section 8.2); one a second, the same for all. */
function offerNonce(ctx: Context) {
  let offered = { second: -1, nonce: '' }
  return async (_request: FastifyRequest, reply: { header: (name: string, value: string) => unknown }) => {
    const second = epochSeconds(ctx.now())
    if (second !== offered.second) offered = { second, nonce: issueNonce(ctx.keys.dpopNonceKey, second) }
    reply.header('dpop-nonce', offered.nonce)
  }
}

function httpReader(ctx: Context, dialect: Dialect): (request: FastifyRequest) => TokenHttp {
  const verifyBearer = bearerClientVerifier(ctx)
  const { origin } = new URL(ctx.config.issuer)
  return request => {
    const { accept, authorization, dpop, 'x-shim-checksum': shim } = request.raw.headers
    const body = bodyMembers(request.body)
    request.reachedPass = true
    const endpoint = request.routeOptions.url ?? ''
    return {
      dialect,
      endpoint,
      limitClient: clientLimit(ctx, { endpoint, address: request.ip }),
      body,
      bodyDigest: request.bodyDigest,
      ...(accept !== undefined && { accept }),
      ...(authorization !== undefined && { authorization }),
      ...(typeof dpop === 'string' && { dpop }),
      ...(typeof shim === 'string' && { shim }),
      htu: `${origin}${request.routeOptions.url}`,
      origin: { request_id: request.id, address: request.ip },
      verifyBearer,
    }
  }
}

/** What is kept in memory may be stale, and is then judged again: one request is one all the same. */
function clientLimit(ctx: Context, from: { endpoint: string; address: string }): (client_id: string) => void {
  let judged: { readonly refusal?: unknown } | undefined
  return client_id => {
    if (judged === undefined) {
      try {
        ctx.limits.client(client_id, from)
        judged = {}
      } catch (refusal) {
        judged = { refusal }
      }
    }
    if ('refusal' in judged) throw judged.refusal
  }
}
