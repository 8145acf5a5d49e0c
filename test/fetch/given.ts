import http from 'node:http'
import net from 'node:net'
import { after } from 'node:test'
import { FetchRefused } from '../../src/server/fetch/fetch-refused.ts'

export const STRICT = { config: { allowPrivateFetch: false } }
export const PRIVATE = { config: { allowPrivateFetch: true } }

/** A server on loopback that counts who comes; `answer` is what it says to a request. */
export async function givenServer(answer: http.RequestListener) {
  const server = http.createServer((request, response) => {
    seen.requests.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  const seen = { connections: 0, requests: [] as string[] }
  server.on('connection', () => {
    seen.connections += 1
  })
  return { url: `http://127.0.0.1:${await listen(server)}`, seen }
}

/** A listener that says nothing and counts the connections and bytes that reach it. */
export async function givenListener() {
  const seen = { connections: 0, bytes: 0 }
  const server = net.createServer(socket => {
    seen.connections += 1
    socket
      .on('error', () => {})
      .on('data', chunk => {
        seen.bytes += chunk.length
      })
  })
  return { port: await listen(server), seen }
}

export async function listen(server: net.Server): Promise<number> {
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  after(() => {
    server.close()
    if (server instanceof http.Server) server.closeAllConnections()
  })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

/** A resolver that answers with these addresses, one answer after the other, the last one for ever. */
export function resolvesTo(...answers: readonly (readonly string[])[]): net.LookupFunction {
  let turn = 0
  return (_hostname, options, callback) => {
    const addresses = answers[Math.min(turn, answers.length - 1)] ?? []
    turn += 1
    const found = addresses.map(address => ({ address, family: net.isIP(address) }))
    process.nextTick(() => {
      if (options.all) callback(null, found)
      else callback(null, found[0]?.address ?? '', found[0]?.family ?? 4)
    })
  }
}

/** Why it was refused, or undefined where it was not. */
export async function refusedWith(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    if (error instanceof FetchRefused) return error.reason
    throw error
  }
}
