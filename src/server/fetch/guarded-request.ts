import { once } from 'node:events'
import http from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '../config.ts'
import { connectGuarded, type Network } from './connect.ts'
import { FetchRefused } from './fetch-refused.ts'

/** What is asked of whom; `read` takes what it wants of the answer, in the time that is left. */
export type GuardedRequest<T> = {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly read: (response: http.IncomingMessage) => Promise<T>
}

const TIMEOUT_MILLISECONDS = 2_500
/** Interim answers (1xx) before the one that counts. */
const MAX_INTERIM = 8

/**
 * One request to a URL that somebody else chose: https, to a public address, one answer without redirects, asked for
 * uncompressed, all within 2.5 s, and never through a proxy (attacks.md 108). Throws FetchRefused.
 */
export async function guardedRequest<T>(
  { config }: { config: Pick<Config, 'allowPrivateFetch'> },
  request: GuardedRequest<T>,
  network: Network,
): Promise<T> {
  const target = allowedUrl(request.url, config.allowPrivateFetch)
  const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS)
  const socket = await connectGuarded(target, config.allowPrivateFetch, network, signal)
  try {
    return await Promise.race([requestOver(socket, target, request, signal), rejectWhenAborted(signal)])
  } catch (error) {
    if (error instanceof FetchRefused) throw error
    throw new FetchRefused(signal.aborted ? 'fetch_timeout' : 'fetch_unreachable', error)
  } finally {
    socket.destroy()
  }
}

/** https, or http where private fetches are allowed, without credentials. Throws FetchRefused. */
export function allowedUrl(text: string, allowPrivate: boolean): URL {
  const url = URL.parse(text)
  const isAllowed = url && (url.protocol === 'https:' || (allowPrivate && url.protocol === 'http:'))
  if (isAllowed && url.username === '' && url.password === '') return url
  throw new FetchRefused('fetch_forbidden_url')
}

async function requestOver<T>(
  socket: Socket,
  url: URL,
  { method, headers, body, read }: GuardedRequest<T>,
  signal: AbortSignal,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>()
  const request = http.request({
    // No agent: nothing of this connection is shared, and no proxy of the environment is asked.
    createConnection: () => socket,
    method,
    path: `${url.pathname}${url.search}`,
    setHost: false,
    headers: { host: url.host, ...headers, 'accept-encoding': 'identity', connection: 'close' },
    signal,
  })
  let interim = 0
  const refuse = () => reject(new FetchRefused('fetch_status'))
  request.on('response', resolve).on('upgrade', refuse)
  request.on('information', () => {
    interim += 1
    if (interim > MAX_INTERIM) refuse()
  })
  request.on('error', reject).on('close', () => reject(new Error('the connection closed without an answer')))
  request.end(body)
  return await read(await promise)
}

/** Ends the wait itself: a request whose socket became another protocol's does not hear its signal any more. */
async function rejectWhenAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}
