import type { IncomingMessage } from 'node:http'
import { OAuthError } from '../../protocol/errors.ts'
import { checkBodyHeaders } from './body-headers.ts'

/** Bodies that were read, by a body parser before us or here. */
const kept = new WeakMap<IncomingMessage, Uint8Array>()

/**
 * For body parsers that run before the guard, as `express.json({ verify: keepRawBody })`: keeps the bytes that the parser
 * read, which `bd` and approvals are compared with.
 */
export function keepRawBody(request: IncomingMessage, _response: unknown, bytes: Uint8Array): void {
  kept.set(request, bytes)
}

/**
 * The bytes of a body, at most `limit`. The stream is left as if nobody had read it: parsers and handlers that come after
 * read the same bytes. Throws `invalid_request` for a body that is too long or broken off, or that they could read as
 * something else, and a plain error where somebody has read it and kept nothing: that must never pass for an empty body.
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  checkBodyHeaders(request)
  const bytes = kept.get(request)
  if (bytes !== undefined) return bytes
  if (!hasBody(request)) return new Uint8Array()
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge()
  if (request.readableDidRead || request.readableEnded) {
    throw new Error(
      'Something read the request body before the guard and kept no bytes. Let the guard run first, or give the body parser { verify: keepRawBody }.',
    )
  }
  const read = await peek(request, limit)
  kept.set(request, read)
  return read
}

/** RFC 9112 section 6.3. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Reads to the end and, before the stream says that it ended, puts everything back. */
async function peek(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  if (request.destroyed) throw brokenOff()
  // Reading it would end it before anybody listens: whoever comes after would wait for ever.
  if (request.complete && request.readableLength === 0) return new Uint8Array()
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const chunks: Uint8Array[] = []
  let size = 0
  const onReadable = () => {
    while (request.readableLength > 0) {
      const chunk: unknown = request.read()
      if (!(chunk instanceof Uint8Array)) break
      chunks.push(chunk)
      size += chunk.byteLength
    }
    if (size > limit) return reject(tooLarge())
    if (!request.complete) return
    const bytes = Buffer.concat(chunks)
    if (size > 0) request.unshift(bytes)
    resolve(bytes)
  }
  const onBrokenOff = () => reject(brokenOff())
  // Only of a body without a byte, and not on every Node: everything else was put back before.
  const onEnd = () => (size === 0 ? resolve(new Uint8Array()) : reject(new Error('The body could not be put back.')))
  request.on('readable', onReadable)
  request.on('end', onEnd)
  request.on('close', onBrokenOff)
  try {
    return await promise
  } finally {
    request.off('readable', onReadable)
    request.off('end', onEnd)
    request.off('close', onBrokenOff)
  }
}

function brokenOff(): OAuthError {
  return new OAuthError('invalid_request', 'The body ended before its end.', { reason: 'body_broken_off' })
}

function tooLarge(): OAuthError {
  return new OAuthError('invalid_request', 'The body is too large.', { reason: 'body_too_large', status: 413 })
}
