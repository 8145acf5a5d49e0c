import { createServer, type IncomingMessage } from 'node:http'
import type { Defer } from '../demo/remit-server.ts'
import { listen } from './listen.ts'

/** A request as it passes somebody on the way, who may change it. */
export type Passing = {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Somebody on the way to one server: sees every request, and may change it before it goes on. */
export type Tap = {
  /** Where the victim’s connections end. */
  readonly url: string
  readonly passed: Passing[]
  /** What is done to requests that pass; undefined: nothing. */
  tamper: ((request: Passing) => Passing) | undefined
  /** Sends a request of the attacker’s own to the server. */
  readonly send: (request: Passing) => Promise<{ status: number; text: string }>
  /** `fetch` of somebody whose route to that server leads here: URLs, and so proofs, are as without it. */
  readonly fetch: typeof fetch
}

/** Headers of one hop, which `fetch` sets itself. */
const OF_THE_HOP = ['host', 'connection', 'content-length', 'keep-alive', 'accept-encoding', 'transfer-encoding']

/** Starts somebody on the way to `target`. */
export async function tapInto(target: string, defer: Defer): Promise<Tap> {
  const server = createServer()
  const url = await listen(server, defer)
  const tap: Tap = {
    url,
    passed: [],
    tamper: undefined,
    async send({ method, path, headers, body }) {
      const response = await fetch(`${target}${path}`, { method, headers, ...(body !== '' && { body }) })
      return { status: response.status, text: await response.text() }
    },
    fetch: async (input, init) => {
      const request = new Request(input, init)
      return await fetch(new Request(request.url.replace(target, url), request))
    },
  }
  server.on('request', (incoming, outgoing) => {
    relay(tap, incoming).then(
      ({ status, text }) => outgoing.writeHead(status, { 'content-type': 'application/json' }).end(text),
      error => outgoing.writeHead(502).end(String(error)),
    )
  })
  return tap
}

async function relay(tap: Tap, incoming: IncomingMessage): Promise<{ status: number; text: string }> {
  const request: Passing = {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: headersOf(incoming),
    body: Buffer.concat(await incoming.toArray()).toString(),
  }
  tap.passed.push(request)
  return await tap.send(tap.tamper ? tap.tamper(request) : request)
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const sent = Object.entries(headers).filter(([name]) => !OF_THE_HOP.includes(name))
  return Object.fromEntries(sent.map(([name, value]) => [name, String(value)]))
}

/** Does something while requests pass changed. */
export async function throughTap<T>(
  tap: Tap,
  tamper: (request: Passing) => Passing,
  act: () => Promise<T>,
): Promise<T> {
  tap.tamper = tamper
  try {
    return await act()
  } finally {
    tap.tamper = undefined
  }
}
