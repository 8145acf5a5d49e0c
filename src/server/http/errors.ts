import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errorUri } from '../../protocol/error-catalogue.ts'
import type { Context } from '../context.ts'
import { recordUnheard } from '../registry/act.ts'
import type { App } from './app-type.ts'
import { plainText, type Refusal, readRefusal } from './refusal.ts'
import { type Surface, surfaceOf } from './surface.ts'
import { wwwAuthenticate } from './www-authenticate.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once a request is in the hands of the token pass. */
    reachedPass: boolean
    /** Set where it was refused because there is too much. */
    shed: boolean
  }
}

/** What is refused because there is too much: counted, and in the log only for who looks closely. */
const SHED: ReadonlySet<string> = new Set(['too_busy', 'address_rate', 'client_rate'])

const BUG: Refusal = {
  status: 500,
  error: 'server_error',
  description: 'The server made a mistake. It has been logged under the request id.',
  reason: 'server_error',
  members: {},
}

/** One way to fail a surface: OAuth error bodies, or RFC 9457 problem documents (protocol.md section 10). */
export function answerErrors(app: App, ctx: Context): void {
  app.decorateRequest('reachedPass', false)
  app.decorateRequest('shed', false)
  app.setErrorHandler(async (error, request, reply) => {
    sendError(ctx, (await recordIfUnheard(ctx, request, error)) ?? error, request, reply)
    return reply
  })
  app.setNotFoundHandler((request, reply) => {
    sendRefusal(ctx, request, reply, {
      status: 404,
      error: 'not_found',
      description: 'There is nothing here.',
      reason: 'not_found',
      members: {},
    })
  })
}

/**
 * A request whose caller is known but that never reached its route takes its proof and leaves its audit row all the
 * same (protocol.md section 3). @returns what to answer instead
 */
async function recordIfUnheard(ctx: Context, request: FastifyRequest, error: unknown): Promise<unknown> {
  const { caller, heard, method } = request
  const refusal = caller && !heard && readRefusal(error, 'intent')
  if (!refusal || refusal.status >= 500) return undefined
  try {
    return await recordUnheard(ctx, caller, `${method} ${request.routeOptions.url}`, refusal.reason)
  } catch (storageTrouble) {
    return storageTrouble
  }
}

/** Answers whatever was thrown. */
export function sendError(ctx: Context, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const surface = surfaceOf(request, ctx.config)
  const refusal = readRefusal(error, surface === 'oauth' ? 'oauth' : 'intent')
  if (refusal === undefined) request.log.error({ err: describeBug(error) }, 'unexpected error')
  else if (refusal.status === 503 && !SHED.has(refusal.reason))
    request.log.warn({ err: describeBug(error) }, 'cannot answer now')
  const challenge = refusal && wwwAuthenticate(ctx, request, surface, error, refusal)
  if (challenge) reply.header('www-authenticate', challenge.value)
  sendRefusal(ctx, request, reply, challenge ? { ...refusal, status: challenge.status } : (refusal ?? BUG))
}

/** Answers 405 for a known path (RFC 9110 section 15.5.6). */
export function sendMethodNotAllowed(
  ctx: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  allow: readonly string[],
): void {
  reply.header('allow', allow.join(', '))
  const description = `This endpoint takes ${allow.join(', ')} only.`
  const error = surfaceOf(request, ctx.config) === 'problem' ? 'method_not_allowed' : 'invalid_request'
  sendRefusal(ctx, request, reply, { status: 405, error, description, reason: 'method_not_allowed', members: {} })
}

function sendRefusal(ctx: Context, request: FastifyRequest, reply: FastifyReply, refusal: Refusal): void {
  countRefusal(ctx, request, refusal)
  request.shed = SHED.has(refusal.reason)
  request.log[request.shed ? 'debug' : 'info']({ status: refusal.status, reason: refusal.reason }, 'refused')
  if (refusal.retry_after !== undefined) reply.header('retry-after', refusal.retry_after)
  reply.header('cache-control', 'no-store').header('pragma', 'no-cache').code(refusal.status)
  const surface = surfaceOf(request, ctx.config)
  // A serializer of our own: the answer must not depend on the route's response schema.
  reply.serializer((body: unknown) => JSON.stringify(body))
  reply.type(surface === 'problem' ? 'application/problem+json' : 'application/json; charset=utf-8')
  reply.send(errorBody(ctx, surface, refusal, request.id))
}

/** The token pass counts its own refusals, because it knows whom it authenticated. */
function countRefusal(ctx: Context, request: FastifyRequest, { reason, status }: Refusal): void {
  if (request.reachedPass) return
  ctx.metrics.refusals.inc({ reason })
  const { config, url } = request.routeOptions
  const isPublic = config.permission === undefined || config.permission === 'public'
  // Beyond its rate a client is known, and has a row of its own.
  if (isPublic || request.caller !== undefined || status >= 500 || reason === 'client_rate') return
  ctx.unauthenticated.count({ endpoint: url ?? 'unmatched', reason, address: request.ip })
}

/** Both kinds of body name the page that explains the code, the precise one where there is one. */
function errorBody({ config }: Context, surface: Surface, refusal: Refusal, request_id: string) {
  const { status, error, description, members } = refusal
  const page = errorUri(config.issuer, members.ajwt_error ?? error)
  if (surface !== 'problem') {
    return { error, error_description: plainText(description), error_uri: page, ...members }
  }
  const title = STATUS_CODES[status] ?? 'Error'
  return { type: page, title, status, code: error, detail: plainText(description), request_id, ...members }
}

/** Of an error only what cannot hold input: database drivers put values into `detail`. */
function describeBug(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error ? error.code : undefined
  return { type: error.name, message: error.message, code, stack: error.stack }
}
