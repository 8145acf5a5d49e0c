import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { isJsonObject, type JsonObject } from '../src/protocol/json.ts'

/** One request as bytes on the wire: the same may be sent to two nodes, or twice. */
export type Question = {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** On a connection of its own. */
  readonly fresh?: boolean
}

/** What came back; `status` 0 where nothing did, with the code of the failure. `ms`: how long that took. */
export type Reply = {
  readonly status: number
  readonly body: JsonObject
  readonly headers: IncomingHttpHeaders
  readonly failed?: string
  readonly ms: number
}

const TIMEOUT_MS = 30_000
const pool = new Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 64, timeout: 60_000 })

/** Sends one request to a port of this machine, whatever its Host says, and never again by itself. Throws nothing. */
export async function ask(port: number, question: Question, timeout = TIMEOUT_MS): Promise<Reply> {
  const began = performance.now()
  const { promise, resolve } = Promise.withResolvers<Reply>()
  const fail = (error: Error) => {
    const failed = 'code' in error ? String(error.code) : error.message
    resolve({ status: 0, body: {}, headers: {}, failed, ms: performance.now() - began })
  }
  const { method, path, headers, body, fresh } = question
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const sent = request(
    {
      ...{ host: '127.0.0.1', port, method, path, agent: fresh ? false : pool },
      headers: { ...headers, ...length, ...(fresh && { Connection: 'close' }) },
      signal: AbortSignal.timeout(timeout),
    },
    response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', fail)
      response.on('end', () => {
        const answer = { status: response.statusCode ?? 0, headers: response.headers }
        resolve({ ...answer, body: parsed(text), ms: performance.now() - began })
      })
    },
  )
  sent.on('error', fail)
  sent.end(body)
  return await promise
}

function parsed(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}
