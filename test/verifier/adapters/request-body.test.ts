import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { keepRawBody, protect } from '../../../src/verifier/adapters/node-http.ts'
import { rawRequest } from '../../support/raw-http.ts'
import { boundHeaders, given, listening } from './issued.ts'

const PATH = '/v1/orders'

/** An API that answers with the size of the body, which it reads itself if told to. */
async function api({ reads = true, maxBodyBytes = 1000, rule = { boundBody: true } } = {}) {
  const { options, told } = given()
  const guard = protect({ ...options, maxBodyBytes })
  const url = await listening(
    guard(rule, async (request, response) => {
      let size = 0
      if (reads) for await (const chunk of request) size += Buffer.from(chunk).byteLength
      response.end(`read ${size}`)
    }),
  )
  return { url, told }
}

async function head(bound: string, length: string, method = 'POST'): Promise<string> {
  const { authorization, dpop } = await boundHeaders({ method, bound })
  return `${method} ${PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: ${authorization}\r\nDPoP: ${dpop}\r\n${length}\r\n\r\n`
}

function chunked(...pieces: readonly string[]): string {
  return `${pieces.map(piece => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`
}

test('the whole body stays for the handler: by length, in chunks, of one byte, of none (RFC 9112 section 6)', async () => {
  const { url, told } = await api()
  const sizes = async (text: string) => (await rawRequest(url, text)).body.match(/read \d+/)?.[0]
  assert.equal(await sizes(`${await head('tea', 'Content-Length: 3')}tea`), 'read 3')
  assert.equal(await sizes(`${await head('t', 'Content-Length: 1')}t`), 'read 1')
  assert.equal(await sizes(await head('', 'Content-Length: 0')), 'read 0')
  assert.equal(await sizes(await head('', 'Connection: keep-alive', 'GET')), 'read 0')
  const chunks = 'Transfer-Encoding: chunked'
  assert.equal(await sizes((await head('greentea', chunks)) + chunked('green', 'tea')), 'read 8')
  assert.equal(await sizes((await head('', chunks)) + chunked()), 'read 0')
  assert.deepEqual(told.refusals, [])
})

test('a body over the limit is 413, whether it says its length or not, and the connection ends', async () => {
  const { url, told } = await api()
  const long = 'x'.repeat(1001)
  const said = await rawRequest(url, `${await head(long, 'Content-Length: 1001')}${long}`)
  const chunks = await rawRequest(url, (await head(long, 'Transfer-Encoding: chunked')) + chunked(long))
  for (const { status, headers, body } of [said, chunks]) {
    assert.equal(status, 413)
    assert.match(headers, /connection: close/i)
    assert.match(body, /"error":"invalid_request"/)
  }
  // What it says is enough: nobody waits for a byte of it.
  assert.equal((await rawRequest(url, await head(long, 'Content-Length: 1001'))).status, 413)
  const most = 'x'.repeat(1000)
  assert.equal((await rawRequest(url, `${await head(most, 'Content-Length: 1000')}${most}`)).status, 200)
  assert.deepEqual(
    told.refusals.map(({ reason, status }) => [reason, status]),
    [
      ['body_too_large', 413],
      ['body_too_large', 413],
      ['body_too_large', 413],
    ],
  )
})

test('no byte of a body is read before token and proof held, nor where nothing names it (section 8)', async () => {
  const { url, told } = await api({ rule: { boundBody: false } })
  const plain = await boundHeaders({ method: 'POST' })
  const lines = `Authorization: ${plain.authorization}\r\nDPoP: ${plain.dpop}\r\nContent-Length: 5000`
  const answer = await rawRequest(url, `POST ${PATH} HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\n${'x'.repeat(5000)}`)
  assert.match(answer.body, /read 5000/)
  // Without a token the answer comes although the body never does.
  const nobody = await rawRequest(url, `POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n`)
  assert.equal(nobody.status, 401)
  assert.deepEqual(
    told.refusals.map(({ reason }) => reason),
    ['token_missing'],
  )
})

for (const when of ['while it is read', 'before anybody reads it'] as const) {
  test(`a body that breaks off ${when} is refused and harms nobody`, async () => {
    const refused = Promise.withResolvers<string>()
    const gone = Promise.withResolvers<void>()
    const text = `${await head('tea', 'Content-Length: 3')}t`
    const guard = protect({
      ...given().options,
      onRefusal: ({ reason }) => refused.resolve(reason),
      // What comes right before the body is asked for.
      replayCache: {
        claim: async () => {
          socket.destroy()
          if (when === 'before anybody reads it') await gone.promise
          return true
        },
      },
    })({}, () => assert.fail('It was let pass.'))
    const url = await listening((request, response) => {
      request.on('close', () => gone.resolve())
      void guard(request, response)
    })
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text))
    assert.equal(await refused.promise, 'body_broken_off')
  })
}

test('a body that was read and that nobody asks for again holds up no further request of the connection', async () => {
  const { url } = await api({ reads: false })
  const first = `${await head('tea', 'Content-Length: 3')}tea`
  const second = await head('gin', 'Content-Length: 3\r\nConnection: close')
  const { hostname, port } = new URL(url)
  const { promise, resolve } = Promise.withResolvers<string>()
  let answers = ''
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(first))
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    if (answers === '') socket.write(`${second}gin`)
    answers += text
  })
  socket.on('close', () => resolve(answers))
  assert.equal((await promise).match(/read 0/g)?.length, 2)
})

test('a rule that says what cannot be stops the start, not the first request', () => {
  assert.throws(() => protect(given().options)({ agent_id: 'worker' }, () => {}), TypeError)
})

test('a handler that fails is told to the developer and answered 500; nothing of it goes out', async () => {
  const { options, told } = given()
  const fails = protect(options)({}, async () => {
    throw new Error('secret of the API')
  })
  const answer = await fetch(`${await listening(fails)}${PATH}`, { headers: await boundHeaders() })
  assert.equal(answer.status, 500)
  assert.equal(await answer.text(), '{"error":"server_error","error_description":"The call failed."}')
  assert.deepEqual(told.log, ['A handler failed. secret of the API'])
})

test('an outage of the replay cache is 503 with Retry-After, and lets nobody pass (attacks.md 43)', async () => {
  const { options } = given()
  const replayCache = {
    claim: () => {
      throw new Error('The database is gone.')
    },
  }
  const url = await listening(protect({ ...options, replayCache })({}, () => assert.fail('It was let pass.')))
  const answer = await fetch(`${url}${PATH}`, { headers: await boundHeaders() })
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '2'])
  assert.deepEqual([answer.headers.get('www-authenticate'), answer.headers.get('cache-control')], [null, 'no-store'])
})

test('keepRawBody keeps the bytes of no other request', async () => {
  const { options, told } = given()
  const guard = protect(options)({ boundBody: true }, (_, response) => void response.end('let pass'))
  const url = await listening(async (request, response) => {
    // As a body parser does.
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    if (request.headers['x-kept'] === 'yes') keepRawBody(request, response, Buffer.concat(chunks))
    await guard(request, response)
  })
  const send = async (headers: Record<string, string>) => {
    const bound = await boundHeaders({ method: 'POST', bound: 'tea' })
    return (await fetch(`${url}${PATH}`, { method: 'POST', body: 'tea', headers: { ...bound, ...headers } })).status
  }
  assert.equal(await send({ 'x-kept': 'yes' }), 200)
  assert.equal(await send({}), 500)
  assert.match(told.log.join(), /Something read the request body/)
})
