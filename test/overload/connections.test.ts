import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { boundConnections } from '../../src/server/http/connections.ts'
import { startTestApp } from '../support/app.ts'

type Line = { readonly socket: Socket; readonly said: () => string; readonly closed: Promise<unknown> }

function openLine(port: number, localAddress = '127.0.0.1'): Line {
  const socket = connect({ host: '127.0.0.1', port, localAddress })
  let said = ''
  socket.setEncoding('latin1').on('data', text => {
    said += text
  })
  socket.on('error', () => {})
  return { socket, said: () => said, closed: once(socket, 'close') }
}

test('[attack 119] sockets that say nothing, a header or a body too slowly, or nothing more, are ended', async () => {
  const app = await startTestApp()
  const { server } = app.listeners.public
  const { headersTimeout, requestTimeout, keepAliveTimeout, timeout, maxConnections } = server
  assert.deepEqual(
    { headersTimeout, requestTimeout, keepAliveTimeout, timeout, maxConnections },
    { headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 5_000, timeout: 15_000, maxConnections: 4_096 },
  )
  // The same rules in less time.
  Object.assign(server, { headersTimeout: 300, requestTimeout: 400, keepAliveTimeout: 300 })
  const { port, host } = new URL(app.issuer)
  const start = `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\n`
  const lines = {
    silent: openLine(Number(port)),
    header: openLine(Number(port)),
    body: openLine(Number(port)),
    idle: openLine(Number(port)),
  }
  lines.header.socket.write(`${start}X-Slow: `)
  lines.body.socket.write(`${start}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n`)
  lines.idle.socket.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const drip = setInterval(() => {
    for (const { socket } of [lines.header, lines.body]) if (socket.writable) socket.write('x')
  }, 100)
  await Promise.all(Object.values(lines).map(line => line.closed))
  clearInterval(drip)
  assert.match(lines.header.said(), /^HTTP\/1\.1 408 .*"error":"invalid_request"/s)
  assert.match(lines.body.said(), /^HTTP\/1\.1 408 /)
  assert.match(lines.idle.said(), /^HTTP\/1\.1 200 /)
  assert.equal((await fetch(`${app.issuer}/healthz`)).status, 200)
})

test('[attack 119] one address gets half of the sockets at most, and others find room beside it', async () => {
  const server = createServer((_request, response) => response.end('here'))
  boundConnections(server, 'https://idp.example', 20)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const flood = Array.from({ length: 14 }, () => openLine(port, '127.0.0.2'))
  // Four too many: told, and closed.
  const ended = await Promise.all(flood.slice(10).map(line => line.closed.then(() => line.said())))
  for (const said of ended) assert.match(said, /^HTTP\/1\.1 503 .*Retry-After: 5\r\n.*"temporarily_unavailable"/s)
  const good = openLine(port, '127.0.0.3')
  good.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await good.closed
  assert.match(good.said(), /^HTTP\/1\.1 200 .*here/s)
  // What is closed makes room again.
  for (const { socket } of flood) socket.destroy()
  await Promise.all(flood.map(line => line.closed))
  const again = openLine(port, '127.0.0.2')
  again.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await again.closed
  assert.match(again.said(), /^HTTP\/1\.1 200 /)
  server.close()
  server.closeAllConnections()
})
