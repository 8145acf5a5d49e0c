import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'

export type FreshAnswer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
type Sent = { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }

/** One request, on a connection of its own unless an agent keeps some. Rejects where the connection ends without an answer. */
export async function freshRequest(url: string, sent: Sent = {}, agent: Agent | false = false): Promise<FreshAnswer> {
  const { method = 'GET', headers = {}, body = '' } = sent
  const { promise, resolve, reject } = Promise.withResolvers<FreshAnswer>()
  const asked = request(url, { agent, method, headers }, response => {
    const { statusCode: status = 0, headers } = response
    text(response).then(body => resolve({ status, headers, body }), reject)
  })
  asked.on('error', reject)
  asked.end(body)
  return await promise
}

/** Keeps one connection for all requests. */
export function oneConnection(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 })
}
