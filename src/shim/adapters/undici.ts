import type { Dispatcher } from 'undici'
import { OAuthError } from '../../protocol/errors.ts'
import type { Agent, CallOptions } from '../agent.ts'

type Handler = Dispatcher.DispatchHandler
type Options = Dispatcher.DispatchOptions

/**
 * An interceptor for `request`, `stream` and `pipeline` of undici: `new Agent().compose(agentInterceptor(agent))`. Calls of the
 * agent's APIs get its token and a proof, and one more attempt where the API asks for a nonce; others go as they are. What
 * cannot be minted ends the request with that error. For undici's own `fetch`, give it to `createAgent` as `fetch`.
 */
export function agentInterceptor(agent: Agent, call: CallOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  return dispatch => (options, handler) => {
    const attempt = async (nonce?: string): Promise<void> => {
      const headers = await headersFor(agent, options, call, nonce)
      const isLast = nonce !== undefined || !isRepeatable(options)
      const sent = headers ? { ...options, headers: merged(options.headers, headers) } : options
      dispatch(sent, headers && !isLast ? repeating(handler, next => attempt(next).catch(fail)) : handler)
    }
    const fail = (error: unknown): void => {
      handler.onResponseError?.(NO_REQUEST, error instanceof Error ? error : new Error(String(error)))
    }
    attempt().catch(fail)
    return true
  }
}

async function headersFor(agent: Agent, { method, origin, path, body }: Options, call: CallOptions, nonce?: string) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body instanceof Uint8Array ? body : undefined
  if (call.bindBody && body != null && bytes === undefined) {
    throw new OAuthError(
      'invalid_request',
      'Only a body of text or bytes can be named in a proof; read the stream first.',
      {
        reason: 'body_is_a_stream',
      },
    )
  }
  const named = call.bindBody ? { body: bytes ?? new Uint8Array() } : {}
  try {
    const url = String(new URL(path, origin))
    return await agent.headers(method, url, { ...call, ...named, ...(nonce !== undefined && { nonce }) })
  } catch (error) {
    if (error instanceof OAuthError && error.reason === 'url_of_no_api') return undefined
    throw error
  }
}

/** Hands everything on but the answer that asks for a nonce: after its end the request is sent again. */
function repeating(handler: Handler, repeat: (nonce: string) => void): Handler {
  let nonce: string | undefined
  return {
    onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
    onRequestUpgrade: (...upgrade) => handler.onRequestUpgrade?.(...upgrade),
    onResponseStart(controller, status, headers, message) {
      const { 'www-authenticate': challenge, 'dpop-nonce': sent } = headers
      const isAsked = status === 401 && /\buse_dpop_nonce\b/.test(String(challenge)) && typeof sent === 'string'
      nonce = isAsked ? sent : undefined
      if (!isAsked) handler.onResponseStart?.(controller, status, headers, message)
    },
    onResponseData: (controller, chunk) => nonce ?? handler.onResponseData?.(controller, chunk),
    onResponseEnd: (controller, trailers) =>
      nonce === undefined ? handler.onResponseEnd?.(controller, trailers) : repeat(nonce),
    onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
  }
}

function isRepeatable({ body }: Options): boolean {
  return body == null || typeof body === 'string' || body instanceof Uint8Array
}

/** All of them as undici takes them flat, ours instead of any of the same name. */
function merged(given: Options['headers'], ours: Readonly<Record<string, string>>): string[] {
  const flat: string[] = []
  for (const [name, value] of pairs(given)) {
    if (Object.hasOwn(ours, name.toLowerCase())) continue
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) flat.push(name, String(one))
  }
  return [...flat, ...Object.entries(ours).flat()]
}

function pairs(given: Options['headers']): Iterable<[string, string | string[] | number | undefined]> {
  if (given == null) return []
  if (!Array.isArray(given)) return Symbol.iterator in given ? given : Object.entries(given)
  return given.flatMap((name, index) => (index % 2 === 0 ? [[name, given[index + 1]]] : []))
}

/** Of a request that was never sent: there is nothing to stop. */
const NO_REQUEST: Dispatcher.DispatchController = {
  ...{ aborted: false, paused: false, reason: null },
  ...{ abort: () => undefined, pause: () => undefined, resume: () => undefined },
}
