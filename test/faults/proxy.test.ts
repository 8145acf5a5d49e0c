import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { FaultProxy } from '../../faults/proxy.ts'

const COMMIT = Buffer.from('C\0\0\0\x0bCOMMIT\0', 'latin1')

/** Answers what it hears; the word commit with what Postgres says to it. */
const echo = createServer(socket => {
  socket.on('error', () => {})
  socket.on('data', chunk => socket.write(chunk.includes('commit') ? COMMIT : chunk))
})
let proxy: FaultProxy

before(async () => {
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await FaultProxy.start(portOf())
})
after(async () => {
  await proxy.stop()
  echo.close()
})
beforeEach(() => {
  proxy.heal()
  proxy.cut()
})

function portOf(): number {
  const address = echo.address()
  assert.ok(address !== null && typeof address === 'object')
  const { port }: AddressInfo = address
  return port
}

async function connect(): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port: proxy.port })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** `once` would fail with the reset that comes first. */
async function closeOf(socket: Socket): Promise<void> {
  await new Promise<void>(resolve => socket.once('close', () => resolve()))
}

async function say(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [chunk] = await once(socket, 'data')
  return String(chunk)
}

describe('the fault proxy (reliability.md section 3.3)', () => {
  test('passes what it is given, both ways', async () => {
    const socket = await connect()

    assert.equal(await say(socket, 'hello'), 'hello')
    socket.destroy()
  })

  test('delays each way, in order', async () => {
    const socket = await connect()
    await say(socket, 'hello')
    proxy.delay(60)
    const began = performance.now()

    socket.write('a')
    socket.write('b')
    let heard = ''
    while (heard !== 'ab') heard += String((await once(socket, 'data'))[0])

    assert.ok(performance.now() - began >= 110)
    socket.destroy()
  })

  test('cuts with a reset, and refuses until it is healed', async () => {
    const socket = await connect()
    await say(socket, 'hello')
    const closed = closeOf(socket)

    assert.equal(proxy.cut(), 1)
    await closed
    proxy.refuse()
    const refused = createConnection({ host: '127.0.0.1', port: proxy.port })
    const [error] = await once(refused, 'error')
    assert.equal(error.code, 'ECONNRESET')
    proxy.heal()
    const again = await connect()

    assert.equal(await say(again, 'hello'), 'hello')
    again.destroy()
  })

  test('a black hole holds back what is sent, also on new connections, and gives it when healed', async () => {
    const old = await connect()
    await say(old, 'hello')
    proxy.blackHole()
    const young = await connect()
    let heard = ''
    for (const socket of [old, young]) {
      socket.on('data', chunk => {
        heard += String(chunk)
      })
      socket.write('x')
    }
    // A byte that went through would be back long before another connection has come and gone.
    const probe = createConnection({ host: '127.0.0.1', port: portOf() })
    await say(probe, 'ping')
    assert.equal(heard, '')

    const both = Promise.all([once(old, 'data'), once(young, 'data')])
    proxy.heal()
    await both

    assert.equal(heard, 'xx')
    for (const socket of [old, young, probe]) socket.destroy()
  })

  test('a half-open connection stays open and silent', async () => {
    const socket = await connect()
    await say(socket, 'hello')

    assert.equal(proxy.halfOpen(), 1)
    socket.write('anyone?')
    const other = await connect()
    await say(other, 'ping')

    assert.equal(socket.readyState, 'open')
    assert.equal(socket.bytesRead, 5)
    for (const one of [socket, other]) one.destroy()
  })

  test('cuts after the COMMIT of the transaction that is meant, and of no other', async () => {
    const [meant, other] = [await connect(), await connect()]
    const cut = proxy.cutAfterCommit('marker')

    await say(other, 'insert something else')
    assert.equal(await say(other, 'commit'), COMMIT.toString())
    await say(meant, 'insert marker')
    const closed = closeOf(meant)
    meant.write('commit')
    await Promise.all([cut, closed])

    assert.equal(meant.bytesRead, 'insert marker'.length)
    assert.equal(await say(other, 'still here'), 'still here')
    other.destroy()
  })
})
