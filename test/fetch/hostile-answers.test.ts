import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import pino from 'pino'
import { guardedFetch } from '../../src/server/fetch/guarded-fetch.ts'
import { createRemoteKeys } from '../../src/server/fetch/remote-keys.ts'
import { listen, PRIVATE, refusedWith } from './given.ts'

const UPGRADE = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const HINT = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
const KEYS = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"keys":[]}'

/** A server that does this with the socket of a request, never ends its own half, and tells when the other has ended. */
async function givenSocket(answer: (socket: net.Socket) => void) {
  const left = Promise.withResolvers<void>()
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {}).on('close', left.resolve)
    socket.on('end', () => socket.destroy())
    socket.once('data', () => answer(socket))
  })
  return { url: `http://127.0.0.1:${await listen(server)}/`, left: left.promise }
}

function flood(socket: net.Socket, text: string): void {
  while (!socket.destroyed) if (!socket.write(text)) return void socket.once('drain', () => flood(socket, text))
}

const HOSTILE = [
  ['a 101 that keeps the socket', 'fetch_status', socket => socket.write(UPGRADE)],
  ['a 101 with a body behind it', 'fetch_status', socket => socket.write(`${UPGRADE}${KEYS}`)],
  ['a 101 and the end', 'fetch_status', socket => socket.end(UPGRADE)],
  ['a 101 that names no protocol', 'fetch_status', socket => socket.write('HTTP/1.1 101 Switching\r\n\r\n')],
  ['a close without a word', 'fetch_unreachable', socket => socket.destroy()],
  ['a reset', 'fetch_unreachable', socket => socket.resetAndDestroy()],
  ['half a head and the end', 'fetch_unreachable', socket => socket.end('HTTP/1.1 200 OK\r\nContent-')],
  ['half a body and the end', 'fetch_unreachable', socket => socket.end(KEYS.slice(0, -3))],
  ['silence, its half of the connection open', 'fetch_timeout', () => {}],
  ['one hint and then silence', 'fetch_timeout', socket => socket.write(HINT)],
  ['hints without end', 'fetch_status', socket => flood(socket, HINT)],
  ['continue without end', 'fetch_status', socket => flood(socket, 'HTTP/1.1 100 Continue\r\n\r\n')],
] as const satisfies readonly (readonly [string, string, (socket: net.Socket) => unknown])[]

for (const [what, reason, answer] of HOSTILE) {
  test(`[attack 108] whatever a server sends or withholds ends in time: ${what}`, { timeout: 5_000 }, async () => {
    const { url, left } = await givenSocket(answer)
    const started = Date.now()
    assert.equal(await refusedWith(guardedFetch(PRIVATE, url)), reason)
    assert.ok(Date.now() - started < 3_500, `${Date.now() - started} ms`)
    await left
  })
}

test('a few interim answers are no attack (RFC 9110 section 15.2)', async () => {
  const { url } = await givenSocket(socket => socket.write(`${HINT.repeat(8)}${KEYS}`))
  assert.deepEqual(await guardedFetch(PRIVATE, url), { keys: [] })
})

test('[attack 108] a client whose key server switches protocols holds up none of its requests', async () => {
  const { url } = await givenSocket(socket => socket.write(UPGRADE))
  const remote = createRemoteKeys({ ...PRIVATE, log: pino({ level: 'silent' }), now: () => new Date(0) })
  const answers = await Promise.all([remote.find('app', url), remote.find('app', url, 'a')])
  assert.deepEqual(answers, [undefined, undefined])
})
