import { once } from 'node:events'
import http from 'node:http'
import type { Socket } from 'node:net'
import { OAuthError } from '../../protocol/errors.ts'
import { type JsonValue, parseStrictJson } from '../../protocol/json.ts'
import type { Config } from '../config.ts'
import { connectGuarded, type Network, SYSTEM_NETWORK } from './connect.ts'
import { FetchRefused } from './fetch-refused.ts'

const TIMEOUT_MILLISECONDS = 2_500
const MAX_BYTES = 65_536
/** Interim answers (1xx) before the one that counts. */
const MAX_INTERIM = 8
const JSON_TYPE = /^application\/(?:[a-z0-9.-]{1,64}\+)?json(?:;|$)/i

/**
 * The JSON behind a URL that somebody else chose: https, from a public address, in one answer without redirects,
 * uncompressed, at most 64 KB, all within 2.5 s, and never through a proxy (attacks.md 108). Throws FetchRefused.
 */
export async function guardedFetch(
  { config }: { config: Pick<Config, 'allowPrivateFetch'> },
  url: string,
  network: Network = SYSTEM_NETWORK,
): Promise<JsonValue> {
  const target = allowedUrl(url, config.allowPrivateFetch)
  const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS)
  const socket = await connectGuarded(target, config.allowPrivateFetch, network, signal)
  try {
    return parse(await Promise.race([requestOver(socket, target, signal), rejectWhenAborted(signal)]))
  } catch (error) {
    if (error instanceof FetchRefused) throw error
    throw new FetchRefused(signal.aborted ? 'fetch_timeout' : 'fetch_unreachable', error)
  } finally {
    socket.destroy()
  }
}

function allowedUrl(text: string, allowPrivate: boolean): URL {
  const url = URL.parse(text)
  const isAllowed = url && (url.protocol === 'https:' || (allowPrivate && url.protocol === 'http:'))
  if (isAllowed && url.username === '' && url.password === '') return url
  throw new FetchRefused('fetch_forbidden_url')
}

async function requestOver(socket: Socket, url: URL, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>()
  const request = http.request({
    // No agent: nothing of this connection is shared, and no proxy of the environment is asked.
    createConnection: () => socket,
    path: `${url.pathname}${url.search}`,
    setHost: false,
    headers: {
      host: url.host,
      accept: 'application/jwk-set+json, application/json',
      'accept-encoding': 'identity',
      connection: 'close',
    },
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
  request.end()
  const response = await promise
  checkHead(response)
  return await readBounded(response)
}

/** Ends the wait itself: a request whose socket became another protocol's does not hear its signal any more. */
async function rejectWhenAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

function checkHead({ statusCode, headers }: http.IncomingMessage): void {
  if (statusCode !== 200) throw new FetchRefused('fetch_status')
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new FetchRefused('fetch_encoding')
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) throw new FetchRefused('fetch_content_type')
}

async function readBounded(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    size += chunk.byteLength
    if (size > MAX_BYTES) throw new FetchRefused('fetch_too_large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parse(bytes: Buffer): JsonValue {
  try {
    return parseStrictJson(bytes)
  } catch (error) {
    if (error instanceof OAuthError) throw new FetchRefused('fetch_malformed', error)
    throw error
  }
}
