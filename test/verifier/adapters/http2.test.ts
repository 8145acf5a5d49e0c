import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { after, test } from 'node:test'
import Fastify from 'fastify'
import { remitVerifier } from '../../../src/verifier/adapters/fastify.ts'
import { protectMcp } from '../../../src/verifier/adapters/mcp.ts'
import { protect } from '../../../src/verifier/adapters/node-http.ts'
import { boundHeaders, given } from './issued.ts'

const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file","arguments":{}}}'
type Options = ReturnType<typeof given>['options']

/** As a program in plain JavaScript would hand it over: the types know HTTP/1.1 alone. */
async function listening(listener: object): Promise<string> {
  const server = createServer((request: Http2ServerRequest, response: Http2ServerResponse) => {
    if (typeof listener === 'function') void Reflect.apply(listener, undefined, [request, response])
  })
  after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
}

const never = () => assert.fail('It was let pass.')
const SERVED: Readonly<Record<string, (options: Options) => Promise<string>>> = {
  'node-http': options => listening(protect(options)({ boundBody: true }, never)),
  mcp: options =>
    listening(protectMcp({ ...options, otherwise: {}, rules: { delete_file: { scope: ['never'] } } })(never)),
  fastify: async options => {
    const app = Fastify({ http2: true })
    after(() => app.close())
    await Reflect.apply(app.register, app, [remitVerifier, options])
    app.post('/v1/orders', { config: { intent: { boundBody: true } } }, never)
    return await app.listen({ port: 0, host: '127.0.0.1' })
  },
}

async function post(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const session = connect(url)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/v1/orders',
    'content-type': 'application/json',
    ...headers,
  })
  const [answer] = await Promise.all([once(stream, 'response'), stream.end(CALL).resume()])
  session.close()
  return Number(Reflect.get(Object(answer[0]), ':status'))
}

for (const [name, start] of Object.entries(SERVED)) {
  test(`[attack 126] ${name} over HTTP/2 judges nothing and lets nobody in: a body needs no header there (RFC 9113 section 8.1)`, async () => {
    const { options, told } = given()
    const url = await start(options)
    // Its proof is of an empty body, and then of this one.
    for (const bound of ['', CALL]) {
      const headers = await boundHeaders({ method: 'POST', bound })
      assert.equal(await post(url, headers), 500)
      assert.equal(await post(url, { ...headers, 'content-length': String(CALL.length) }), 500)
    }
    assert.equal(told.log.length, 4)
    for (const line of told.log) assert.match(line, /HTTP\/1\.1 alone/)
  })
}
