import type http from 'node:http'
import { OAuthError } from '../../protocol/errors.ts'
import { type JsonValue, parseStrictJson } from '../../protocol/json.ts'
import type { Config } from '../config.ts'
import { type Network, SYSTEM_NETWORK } from './connect.ts'
import { FetchRefused } from './fetch-refused.ts'
import { guardedRequest } from './guarded-request.ts'

const MAX_BYTES = 65_536
const JSON_TYPE = /^application\/(?:[a-z0-9.-]{1,64}\+)?json(?:;|$)/i

/**
 * The JSON behind a URL that somebody else chose: https, from a public address, in one answer without redirects,
 * uncompressed, at most 64 KB, all within 2.5 s, and never through a proxy (attacks.md 108). Throws FetchRefused.
 */
export async function guardedFetch(
  ctx: { config: Pick<Config, 'allowPrivateFetch'> },
  url: string,
  network: Network = SYSTEM_NETWORK,
): Promise<JsonValue> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  return parse(await guardedRequest(ctx, { url, method: 'GET', headers, read: readAnswer }, network))
}

async function readAnswer(response: http.IncomingMessage): Promise<Buffer> {
  checkHead(response)
  return await readBounded(response)
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
