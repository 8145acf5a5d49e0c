import assert from 'node:assert/strict'
import type http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { gzipSync } from 'node:zlib'
import { SYSTEM_NETWORK } from '../../src/server/fetch/connect.ts'
import { guardedFetch } from '../../src/server/fetch/guarded-fetch.ts'
import { selfSigned } from '../support/self-signed.ts'
import { givenListener, givenServer, listen, PRIVATE, refusedWith, resolvesTo, STRICT } from './given.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

function answers(body: string | Buffer, headers: http.OutgoingHttpHeaders = JSON_TYPE, status = 200) {
  return (_request: http.IncomingMessage, response: http.ServerResponse) => {
    response.writeHead(status, headers).end(body)
  }
}

test('JSON is fetched in one request that asks for no compression and keeps nothing open', async () => {
  const asked: http.IncomingHttpHeaders[] = []
  const { url, seen } = await givenServer((request, response) => {
    asked.push(request.headers)
    response.writeHead(200, { 'content-type': 'application/jwk-set+json' }).end('{"keys":[]}')
  })
  assert.deepEqual(await guardedFetch(PRIVATE, `${url}/a/keys?x=1`), { keys: [] })
  assert.deepEqual(seen, { connections: 1, requests: ['GET /a/keys?x=1'] })
  const { host } = new URL(url)
  const accept = 'application/jwk-set+json, application/json'
  assert.deepEqual(asked, [{ host, accept, 'accept-encoding': 'identity', connection: 'close' }])
})

test('[attack 108] an address that is not public is not even dialled, in whatever form it is written', async () => {
  const { port, seen } = await givenListener()
  const hosts = ['127.0.0.1', '[::ffff:127.0.0.1]', '[::1]', 'localhost', '127.1', '2130706433']
  const forms = ['0x7f000001', '0177.0.0.1', '017700000001', '0x7f.0.0.1', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '0']
  for (const host of [...hosts, ...forms]) {
    const reason = await refusedWith(guardedFetch(STRICT, `https://${host}:${port}/`))
    assert.deepEqual([host, reason], [host, 'fetch_forbidden_address'])
  }
  for (const host of ['169.254.169.254', '10.0.0.1', '172.16.0.1', '192.168.0.1', '100.64.0.1', '[fd00::1]']) {
    assert.equal(await refusedWith(guardedFetch(STRICT, `https://${host}/`)), 'fetch_forbidden_address')
  }
  assert.deepEqual(seen, { connections: 0, bytes: 0 })
})

test('[attack 108] a name is refused where one of its addresses is not public', async () => {
  const { port, seen } = await givenListener()
  const url = `https://keys.example.test:${port}/`
  for (const addresses of [['127.0.0.1'], ['::ffff:127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['169.254.169.254']]) {
    const network = { ...SYSTEM_NETWORK, lookup: resolvesTo(addresses) }
    assert.equal(await refusedWith(guardedFetch(STRICT, url, network)), 'fetch_forbidden_address')
  }
  assert.deepEqual(seen, { connections: 0, bytes: 0 })
})

test('[attack 108] a name that becomes private after it was judged is judged again at every fetch (rebinding)', async () => {
  const { port, seen } = await givenListener()
  const lookup = resolvesTo(['93.184.216.34'], ['127.0.0.1'])
  // The public address is not dialled from a test: only what the name says then matters.
  const refused = { lookup, connect: (options: net.NetConnectOpts) => refuseAfterLookup(options) }
  const url = `https://keys.example.test:${port}/`
  assert.equal(await refusedWith(guardedFetch(STRICT, url, refused)), 'fetch_unreachable')
  const dialled = { lookup, connect: net.connect }
  assert.equal(await refusedWith(guardedFetch(STRICT, url, dialled)), 'fetch_forbidden_address')
  assert.deepEqual(seen, { connections: 0, bytes: 0 })
})

test('[attack 108] the address that was reached decides, before a byte is sent', async () => {
  const { port, seen } = await givenListener()
  // A network that takes the connection somewhere else than the address that was judged.
  const network = { lookup: resolvesTo(['93.184.216.34']), connect: () => net.connect({ host: '127.0.0.1', port }) }
  const url = `https://keys.example.test:${port}/`
  assert.equal(await refusedWith(guardedFetch(STRICT, url, network)), 'fetch_forbidden_address')
  assert.equal(seen.bytes, 0)
})

test('[attack 108] only https without credentials; http where the development switch is on', async () => {
  const { url, seen } = await givenServer(answers('{}'))
  const { host } = new URL(url)
  for (const forbidden of [url, 'ftp://a.example/', 'file:///etc/passwd', 'data:application/json,{}', 'nonsense', '']) {
    assert.equal(await refusedWith(guardedFetch(STRICT, forbidden)), 'fetch_forbidden_url')
  }
  for (const forbidden of [`http://user:secret@${host}/`, `http://user@${host}/`, `http://:secret@${host}/`]) {
    assert.equal(await refusedWith(guardedFetch(PRIVATE, forbidden)), 'fetch_forbidden_url')
  }
  assert.equal(seen.connections, 0)
})

test('[attack 108] redirects are not followed, and other answers than 200 are none', async () => {
  const target = await givenServer(answers('{}'))
  for (const status of [301, 302, 303, 307, 308]) {
    const { url } = await givenServer(answers('{}', { ...JSON_TYPE, location: target.url }, status))
    assert.equal(await refusedWith(guardedFetch(PRIVATE, url)), 'fetch_status')
  }
  for (const status of [204, 206, 404, 500]) {
    const { url } = await givenServer(answers(status === 204 ? '' : '{}', JSON_TYPE, status))
    assert.equal(await refusedWith(guardedFetch(PRIVATE, url)), 'fetch_status')
  }
  assert.equal(target.seen.connections, 0)
})

test('[attack 108] a body is at most 64 KB, uncompressed, JSON and nothing else', async () => {
  const padded = (size: number) => `{"a":"${'x'.repeat(size - 8)}"}`
  const bomb = gzipSync(Buffer.alloc(50_000_000))
  const refusals = [
    ['fetch_too_large', answers(padded(65_537))],
    ['fetch_encoding', answers(bomb, { ...JSON_TYPE, 'content-encoding': 'gzip' })],
    ['fetch_encoding', answers('{}', { ...JSON_TYPE, 'content-encoding': 'identity, br' })],
    ['fetch_malformed', answers(gzipSync('{}'))],
    ['fetch_malformed', answers('{"a":1,"a":2}')],
    ['fetch_malformed', answers('')],
    ['fetch_content_type', answers('{}', { 'content-type': 'text/html' })],
    ['fetch_content_type', answers('{}', { 'content-type': 'application/jsonp' })],
    ['fetch_content_type', answers('{}', {})],
  ] as const
  for (const [reason, answer] of refusals) {
    assert.equal(await refusedWith(guardedFetch(PRIVATE, (await givenServer(answer)).url)), reason)
  }
  const { url } = await givenServer(answers(padded(65_536)))
  assert.equal(await refusedWith(guardedFetch(PRIVATE, url)), undefined)
})

test('[attack 108] an endless body is cut off at 64 KB, without a length to trust', async () => {
  let sent = 0
  const { url } = await givenServer((_request, response) => {
    response.writeHead(200, JSON_TYPE)
    const more = () => {
      while (!response.destroyed && sent < 100_000_000) {
        sent += 16_384
        if (!response.write(Buffer.alloc(16_384, 'x'))) return void response.once('drain', more)
      }
    }
    more()
  })
  assert.equal(await refusedWith(guardedFetch(PRIVATE, url)), 'fetch_too_large')
  assert.ok(sent < 20_000_000, `${sent} bytes were sent`)
})

test('[attack 108] all of it takes at most 2.5 s: a slow body, silence, and a host that never answers', async () => {
  const slow = await givenServer((_request, response) => {
    response.writeHead(200, JSON_TYPE).write('{')
    const timer = setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(timer))
  })
  const silent = await givenListener()
  const started = Date.now()
  const reasons = await Promise.all([
    refusedWith(guardedFetch(PRIVATE, slow.url)),
    refusedWith(guardedFetch(PRIVATE, `http://127.0.0.1:${silent.port}/`)),
    refusedWith(guardedFetch(PRIVATE, `https://127.0.0.1:${silent.port}/`)),
  ])
  assert.deepEqual(reasons, ['fetch_timeout', 'fetch_timeout', 'fetch_timeout'])
  assert.ok(Date.now() - started < 4_000)
})

test('over https the certificate must be of a known issuer and of this host', async () => {
  const { cert, key } = selfSigned()
  const server = https.createServer({ cert, key }, answers('{"keys":[]}'))
  const port = await listen(server)
  assert.equal(await refusedWith(guardedFetch(PRIVATE, `https://127.0.0.1:${port}/`)), 'fetch_unreachable')
  const before = tls.getCACertificates('default')
  tls.setDefaultCACertificates([...before, cert])
  try {
    assert.deepEqual(await guardedFetch(PRIVATE, `https://127.0.0.1:${port}/`), { keys: [] })
    assert.deepEqual(await guardedFetch(PRIVATE, `https://localhost:${port}/`), { keys: [] })
    const network = { ...SYSTEM_NETWORK, lookup: resolvesTo(['127.0.0.1']) }
    const other = guardedFetch(PRIVATE, `https://other.example.test:${port}/`, network)
    assert.equal(await refusedWith(other), 'fetch_unreachable')
  } finally {
    tls.setDefaultCACertificates(before)
  }
})

test('no proxy of the environment is asked', async () => {
  const proxy = await givenListener()
  const { url } = await givenServer(answers('{}'))
  const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'NODE_USE_ENV_PROXY']
  for (const name of names) process.env[name] = name.endsWith('ENV_PROXY') ? '1' : `http://127.0.0.1:${proxy.port}`
  try {
    assert.deepEqual(await guardedFetch(PRIVATE, url), {})
  } finally {
    for (const name of names) delete process.env[name]
  }
  assert.equal(proxy.seen.connections, 0)
})

/** Resolves as a real dial would, then fails as an unreachable host does. */
function refuseAfterLookup(options: net.NetConnectOpts): net.Socket {
  const socket = new net.Socket()
  const lookup = 'lookup' in options ? options.lookup : undefined
  lookup?.('keys.example.test', { all: true }, error => {
    socket.destroy(error ?? new Error('the test has no network'))
  })
  return socket
}
