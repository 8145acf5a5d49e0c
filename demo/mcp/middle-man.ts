import { createServer } from 'node:http'
import { z } from 'zod'
import type { Answer } from '../remit-client.ts'
import { type Defer, freePort } from '../remit-server.ts'

/** Somebody on the network between an agent and the MCP server: reads all, changes what it likes, keeps copies. */
export type MiddleMan = {
  readonly origin: string
  /** Puts one text in the place of another in every body that passes. */
  readonly swap: (from: string, to: string) => void
  /** Sends the last call that passed once more, byte for byte. */
  readonly replay: () => Promise<Answer>
}

type Passed = { readonly headers: Record<string, string>; readonly body: string }

const jsonSchema = z.record(z.string(), z.json()).catch({})
/** Of the connection, not of the message. */
const OF_CONNECTION = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive'])

export async function startMiddleMan(target: string, defer: Defer): Promise<MiddleMan> {
  let swapped = { from: '', to: '' }
  let last: Passed | undefined
  const server = createServer(async (request, response) => {
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) =>
        typeof value === 'string' && !OF_CONNECTION.has(name) ? [[name, value]] : [],
      ),
    )
    const text = Buffer.concat(await request.toArray()).toString()
    const body = swapped.from === '' ? text : text.replaceAll(swapped.from, swapped.to)
    if (body.includes('"tools/call"')) last = { headers, body }
    const answer = await fetch(target, { method: request.method ?? 'POST', headers, ...(body !== '' && { body }) })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' })
    response.end(await answer.text())
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject))
  defer(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return {
    origin: `http://127.0.0.1:${port}`,
    swap(from, to) {
      swapped = { from, to }
    },
    async replay() {
      if (!last) throw new Error('Nothing passed the middle man.')
      const { status, headers, text } = await sent(target, last)
      return { status, headers, body: jsonSchema.parse(JSON.parse(text)) }
    },
  }
}

async function sent(target: string, { headers, body }: Passed) {
  const answer = await fetch(target, { method: 'POST', headers, body })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}
