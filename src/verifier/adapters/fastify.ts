import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { OAuthError } from '../../protocol/errors.ts'
import type { RouteRule } from '../route-rule.ts'
import type { Verified } from '../verify.ts'
import { byRule } from './by-rule.ts'
import { intentOf as intentOfMessage } from './intent-of.ts'
import type { Answer } from './refusal-answer.ts'
import { createResourceGuard, type Judgement } from './resource-guard.ts'
import type { ResourceOptions } from './resource-options.ts'

export type { RouteRule } from '../route-rule.ts'
export type { ResourceOptions } from './resource-options.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call this route; `{}` takes every valid token, `false` everybody. Without it nobody gets in. */
    intent?: RouteRule | false
  }
}

export type FastifyOptions = ResourceOptions & {
  /** Who reaches not-found handlers of your own: as a route's `intent`, and without it nobody. */
  readonly notFound?: RouteRule | false
}

/**
 * Protects a Fastify 5 API: `await app.register(remitVerifier, { issuer, audience })` before the routes, and on each of
 * them `config: { intent: { scope: ['read'] } }`. A route of that scope without a rule refuses everybody. Where a route
 * stands before it has loaded the start is refused: nobody would read its rule. It also serves the RFC 9728 document,
 * whose path takes no prefix: throws where it is registered under one.
 */
export const remitVerifier = Object.assign(register, {
  // The hook is for the scope that registers us, not for one of our own (Fastify, "Plugins").
  [Symbol.for('skip-override')]: true,
  [Symbol.for('plugin-meta')]: { name: 'remit-verifier', fastify: '5.x' },
})

/** Who calls and what the call may use. Throws on a route that is open to everybody. */
export function intentOf(request: FastifyRequest): Verified {
  return intentOfMessage(request.raw)
}

/** What Fastify prints of an app without a route. */
const NO_ROUTES = '(empty tree)'
const TOO_LATE =
  'A route stands before remitVerifier has loaded: await app.register(remitVerifier, ...) first, or put routes into plugins after it.'

async function register(app: FastifyInstance, options: FastifyOptions): Promise<void> {
  if (app.prefix !== '') throw new Error('Register remitVerifier where no prefix is: its metadata has a fixed path.')
  if (app.printRoutes() !== NO_ROUTES) throw new Error(TOO_LATE)
  const { notFound, ...resource } = options
  const guard = createResourceGuard(resource)
  if (notFound) guard.readRule(notFound)
  app.get(new URL(guard.resource_metadata).pathname, { config: { intent: false } }, async (request, reply) => {
    const document = guard.metadataFor(request.raw)
    return document ? send(reply, document) : reply.code(404).send({ error: 'not_found' })
  })
  app.addHook('onRoute', ({ config }) => {
    if (config?.intent !== undefined && config.intent !== false) guard.readRule(config.intent)
  })
  const judgedAsNotFound = new WeakSet<FastifyRequest>()

  async function judge(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (isUsualNotFound(request)) return
    if (request.is404) judgedAsNotFound.add(request)
    const intent = request.is404 ? notFound : request.routeOptions.config.intent
    if (intent === false) return
    const judgement = intent === undefined ? NO_RULE : byRule(intent)
    const outcome = await guard.judge(request.raw, judgement, () => intent)
    if ('answer' in outcome) return send(reply, outcome.answer)
  }

  app.addHook('onRequest', judge)
  // A route that hands over with callNotFound was judged by its own rule, and not by that of the handler.
  app.addHook('preHandler', async (request, reply) => {
    if (request.is404 && !judgedAsNotFound.has(request)) return await judge(request, reply)
  })
}

/** Fastify's own handler, which serves nothing: those of an app are bound to it, and so have another name. */
function isUsualNotFound({ is404, routeOptions }: FastifyRequest): boolean {
  return is404 && routeOptions.handler.name === 'basic404'
}

const NO_RULE: Judgement = async () => {
  throw new OAuthError('intent_denied', 'No rule lets anybody call this.', { reason: 'rule_missing' })
}

function send(reply: FastifyReply, { status, headers, body }: Answer): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}
