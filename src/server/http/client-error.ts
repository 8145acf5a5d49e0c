import type { Socket } from 'node:net'
import { errorUri } from '../../protocol/error-catalogue.ts'

/** What Node's parser refuses before there is a request; everything else is 400. */
const STATUS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
}

/** Answers once and closes: after a parse error nobody knows where the next request begins (attacks.md 107). */
export function refuseUnparsed(issuer: string): (error: Error & { code?: string }, socket: Socket) => void {
  const body = JSON.stringify({
    error: 'invalid_request',
    error_description: 'The request is malformed or came too slowly.',
    error_uri: errorUri(issuer, 'invalid_request'),
  })
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
      socket.destroy()
      return
    }
    answerAndClose(socket, STATUS[error.code ?? ''] ?? '400 Bad Request', body)
  }
}

/** The answer of a socket that has no request, and its end. */
export function answerAndClose(socket: Socket, status: string, body: string, headers: readonly string[] = []): void {
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...headers,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroySoon())
}
