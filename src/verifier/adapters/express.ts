import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RouteRule } from '../route-rule.ts'
import { byRule } from './by-rule.ts'
import { writeAnswer } from './refusal-answer.ts'
import { createResourceGuard } from './resource-guard.ts'
import type { ResourceOptions } from './resource-options.ts'

export type { RouteRule } from '../route-rule.ts'
export { intentOf } from './intent-of.ts'
export { keepRawBody } from './request-body.ts'
export type { ResourceOptions } from './resource-options.ts'

/** What Express 5 calls; its own types take it as a RequestHandler. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => Promise<void>

export type ExpressGuard = {
  /** Lets pass what passes the rule, and answers with the RFC 9728 document; `{}` takes every valid token. */
  (rule: RouteRule): Middleware
  /** The document alone, for an app that has no guard over all of its paths. */
  readonly metadata: (request: IncomingMessage, response: ServerResponse, next: () => void) => void
}

/**
 * Protects an Express 5 API: `app.use(guard({ scope: ['read'] }))` before the routes. Further guards on single routes
 * narrow; handlers ask `intentOf(request)` who calls.
 */
export function protect(options: ResourceOptions): ExpressGuard {
  const guard = createResourceGuard(options)

  function metadata(request: IncomingMessage, response: ServerResponse, next: () => void): void {
    const document = guard.metadataFor(request)
    if (document) writeAnswer(response, document)
    else next()
  }

  function middleware(rule: RouteRule): Middleware {
    guard.readRule(rule)
    return async (request, response, next) => {
      const document = guard.metadataFor(request)
      if (document) return writeAnswer(response, document)
      const outcome = await guard.judge(request, byRule(rule), () => rule)
      if ('answer' in outcome) return writeAnswer(response, outcome.answer)
      next()
    }
  }

  return Object.assign(middleware, { metadata })
}
