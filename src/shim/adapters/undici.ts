import type { Dispatcher } from 'undici'
import { OAuthError } from '../../protocol/errors.ts'
import type { Agent, CallOptions } from '../agent.ts'
import { readNonce } from '../nonce-of.ts'

type Handler = Dispatcher.DispatchHandler
type Options = Dispatcher.DispatchOptions

/**
 * An interceptor for `request`, `stream` and `pipeline` of undici: `new Agent().compose(agentInterceptor(agent))`. Calls of the
 * agent's APIs get its token and a proof, and one more attempt where the API asks for a nonce; others go as they are. What
 * cannot be minted ends the request with that error.
 */
export function agentInterceptor(agent: Agent, call: CallOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  const nonces = new Map<string, string>()
  return dispatch => (options, handler) => {
    const origin = String(options.origin)
    const attempt = async (isLast: boolean): Promise<void> => {
      const headers = await headersFor(agent, options, call, nonces.get(origin))
      if (headers === undefined) return void dispatch(options, handler)
      const repeat = isLast ? undefined : () => void attempt(true).catch(fail)
      const heard = watching(handler, repeat, (status, challenge, nonce) => {
        if (nonce !== undefined) nonces.set(origin, nonce)
        else if (status === 401 && /\binvalid_dpop_proof\b/.test(challenge)) nonces.delete(origin)
        if (status === 401 && /\berror="?invalid_token\b/.test(challenge)) agent.refused(headers)
      })
      // A protected call follows no redirect, also where a redirecting interceptor is composed within this one.
      const sent = { ...options, headers: merged(options.headers, headers), maxRedirections: 0 }
      dispatch(sent, heard)
    }
    const fail = (error: unknown): void => {
      handler.onResponseError?.(NO_REQUEST, error instanceof Error ? error : new Error(String(error)))
    }
    attempt(!isRepeatable(options)).catch(fail)
    return true
  }
}

async function headersFor(agent: Agent, { method, origin, path, body }: Options, call: CallOptions, nonce?: string) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body instanceof Uint8Array ? body : undefined
  // A stream cannot be named: where the call or its API asks for that, it is refused.
  const named = body == null ? { body: new Uint8Array() } : bytes && { body: bytes }
  try {
    // Joined as undici sends it: a path can name no other host than the one that is called.
    const url = `${String(origin).replace(/\/$/, '')}${path}`
    return await agent.headers(method, url, { ...call, ...named, ...(nonce !== undefined && { nonce }) })
  } catch (error) {
    if (error instanceof OAuthError && error.reason === 'url_of_no_api') return undefined
    throw error
  }
}

/** Hands everything on but the answer that asks for a nonce, where the request can be sent again after its end. */
function watching(
  handler: Handler,
  repeat: (() => void) | undefined,
  heard: (status: number, challenge: string, nonce: string | undefined) => void,
): Handler {
  let isRepeated = false
  return {
    onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
    onRequestUpgrade: (...upgrade) => handler.onRequestUpgrade?.(...upgrade),
    onResponseStart(controller, status, headers, message) {
      const { 'www-authenticate': challenge, 'dpop-nonce': sent } = headers
      const nonce = readNonce(sent)
      heard(status, String(challenge), nonce)
      isRepeated =
        repeat !== undefined && status === 401 && /\buse_dpop_nonce\b/.test(String(challenge)) && nonce !== undefined
      if (!isRepeated) handler.onResponseStart?.(controller, status, headers, message)
    },
    onResponseData(controller, chunk) {
      if (!isRepeated) handler.onResponseData?.(controller, chunk)
    },
    onResponseEnd(controller, trailers) {
      if (isRepeated) repeat?.()
      else handler.onResponseEnd?.(controller, trailers)
    },
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
