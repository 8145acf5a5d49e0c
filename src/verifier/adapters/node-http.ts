import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RouteRule } from '../route-rule.ts'
import type { Verified } from '../verify.ts'
import { byRule } from './by-rule.ts'
import { writeAnswer } from './refusal-answer.ts'
import { createResourceGuard } from './resource-guard.ts'
import type { ResourceOptions } from './resource-options.ts'
import { runHandler } from './run-handler.ts'

export type { RouteRule } from '../route-rule.ts'
export { intentOf } from './intent-of.ts'
export { keepRawBody } from './request-body.ts'
export type { ResourceOptions } from './resource-options.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, verified: Verified) => unknown
type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/**
 * Protects an API on Node's own `http`: `createServer(guard({ scope: ['read'] }, handler))`. The handler runs only for
 * requests that pass the rule; the listener also answers with the RFC 9728 document.
 */
export function protect(options: ResourceOptions): (rule: RouteRule, handler: Handler) => Listener {
  const guard = createResourceGuard(options)
  const { log = console.error } = options
  return (rule, handler) => {
    guard.readRule(rule)
    if (typeof handler !== 'function') throw new TypeError('A guard needs a rule and a handler.')
    return async (request, response) => {
      const document = guard.metadataFor(request)
      if (document) return writeAnswer(response, document)
      const outcome = await guard.judge(request, byRule(rule), () => rule)
      if ('answer' in outcome) return writeAnswer(response, outcome.answer)
      await runHandler(response, log, () => handler(request, response, outcome.verified))
    }
  }
}
