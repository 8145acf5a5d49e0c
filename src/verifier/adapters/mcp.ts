import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JsonValue } from '../../protocol/json.ts'
import { readCredentials } from '../credentials.ts'
import type { Verified } from '../verify.ts'
import { type McpRules, mcpJudgement } from './mcp-judgement.ts'
import { writeAnswer } from './refusal-answer.ts'
import { createResourceGuard } from './resource-guard.ts'
import type { ResourceOptions } from './resource-options.ts'
import { runHandler } from './run-handler.ts'

export type { RouteRule } from '../route-rule.ts'
export type { McpRules } from './mcp-judgement.ts'
export type { ResourceOptions } from './resource-options.ts'

/** What the MCP SDK reads from `request.auth` and hands to tools as `authInfo`. */
export type McpAuthInfo = {
  token: string
  clientId: string
  scopes: string[]
  expiresAt: number
  resource: URL
  resourceMetadataUrl: string
  extra: { claims: Verified['claims'] }
}

/** `body` is the JSON that was judged: give it to the transport, so that nobody reads it in another way. */
export type McpHandler = (
  request: IncomingMessage & { auth: McpAuthInfo },
  response: ServerResponse,
  body: JsonValue | undefined,
) => unknown

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>

const callers = new WeakMap<object, Verified>()

/** Who calls a tool, by the `authInfo` that its handler is given. Throws where no guard let the call pass. */
export function intentOf(authInfo: object | undefined): Verified {
  const verified = authInfo && callers.get(authInfo)
  if (verified === undefined) throw new Error('No guard has let this call pass.')
  return verified
}

/**
 * Protects an MCP server over streamable HTTP: `guard((request, response, body) => transport.handleRequest(request,
 * response, body))` is a listener for Node's `http` and for Express. Of a batch every message must pass its rule.
 */
export function protectMcp(options: ResourceOptions & McpRules): (handler: McpHandler) => Listener {
  const { log = console.error } = options
  const guard = createResourceGuard(options)
  for (const rule of [options.otherwise, ...Object.values(options.rules)]) guard.readRule(rule)
  return handler => async (request, response) => {
    const document = guard.metadataFor(request)
    if (document) return writeAnswer(response, document)
    const { judgement, asked, body } = mcpJudgement(options)
    const outcome = await guard.judge(request, judgement, asked)
    if ('answer' in outcome) return writeAnswer(response, outcome.answer)
    const auth = authInfo(request, outcome.verified, guard.resource_metadata)
    await runHandler(response, log, () => handler(Object.assign(request, { auth }), response, body()))
  }
}

function authInfo(request: IncomingMessage, verified: Verified, resourceMetadataUrl: string): McpAuthInfo {
  const { claims, scope } = verified
  const auth: McpAuthInfo = {
    token: readCredentials(request.headers.authorization).token,
    clientId: claims.client_id,
    scopes: [...scope],
    expiresAt: claims.exp,
    resource: new URL(claims.aud),
    resourceMetadataUrl,
    extra: { claims },
  }
  callers.set(auth, verified)
  return auth
}
