import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import Fastify, { type FastifyContextConfig, type FastifyInstance } from 'fastify'
import { intentOf, remitVerifier } from '../../../src/verifier/adapters/fastify.ts'
import type { RouteRule } from '../../../src/verifier/route-rule.ts'
import { jsonOf } from '../../support/json-of.ts'
import { rawRequest } from '../../support/raw-http.ts'
import { boundHeaders, given } from './issued.ts'

const ORDER = '{"order": 7}'

/** A Fastify API with these routes, listening. */
async function api(routes: (app: FastifyInstance) => void) {
  const { options, told } = given()
  const app = Fastify()
  after(() => app.close())
  await app.register(remitVerifier, options)
  routes(app)
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), told, app, options }
}

const reasons = ({ refusals }: { refusals: readonly { reason: string }[] }) => refusals.map(({ reason }) => reason)

test('a route says who may call it; a route without a rule lets nobody in (architecture.md section 4)', async () => {
  const { url, told } = await api(app => {
    app.get('/v1/orders', { config: { intent: { scope: ['read'] } } }, async request => intentOf(request).claims.sub)
    app.get('/v1/forgotten', async () => 'never')
    app.get('/v1/any', { config: { intent: {} } }, async () => 'any token')
    app.get('/health', { config: { intent: false } }, async () => 'well')
  })
  const get = async (path: string, headers = {}) => await fetch(`${url}${path}`, { headers })
  assert.equal(await (await get('/v1/orders', await boundHeaders())).text(), 'agent:patcher-app:worker')
  const forgotten = await get('/v1/forgotten', await boundHeaders({ path: '/v1/forgotten' }))
  assert.deepEqual([forgotten.status, (await jsonOf(forgotten)).error], [403, 'intent_denied'])
  assert.equal((await get('/v1/any', await boundHeaders({ path: '/v1/any' }))).status, 200)
  assert.equal(await (await get('/health')).text(), 'well')
  const nobody = await get('/v1/orders')
  assert.equal(nobody.status, 401)
  assert.match(nobody.headers.get('www-authenticate') ?? '', /^DPoP scope="read".*resource_metadata="https:.*\/v1"$/)
  assert.equal(nobody.headers.get('cache-control'), 'no-store')
  assert.equal((await get('/v1/unknown')).status, 404)
  assert.deepEqual(reasons(told), ['rule_missing', 'token_missing'])
})

test('HEAD, which Fastify adds to a GET route, is judged by the same rule', async () => {
  const { url } = await api(app => {
    app.get('/v1/orders', { config: { intent: { scope: ['read'] } } }, async () => 'orders')
  })
  assert.equal((await fetch(`${url}/v1/orders`, { method: 'HEAD' })).status, 401)
  const headers = await boundHeaders({ method: 'HEAD' })
  assert.equal((await fetch(`${url}/v1/orders`, { method: 'HEAD', headers })).status, 200)
})

test('[attack 126] bd holds the body, and the route gets it parsed (section 8)', async () => {
  const { url, told } = await api(app => {
    app.post('/v1/orders', { config: { intent: { boundBody: true } } }, async request => ({ body: request.body }))
  })
  const post = async (body: string, bound?: string) => {
    const headers = await boundHeaders({ method: 'POST', ...(bound !== undefined && { bound }) })
    const init = { method: 'POST', body, headers: { ...headers, 'content-type': 'application/json' } }
    return await fetch(`${url}/v1/orders`, init)
  }
  assert.deepEqual(await jsonOf(await post(ORDER, ORDER)), { body: { order: 7 } })
  const long = JSON.stringify({ text: 'x'.repeat(200_000) })
  assert.deepEqual(await jsonOf(await post(long, long)), { body: JSON.parse(long) })
  assert.equal((await post(ORDER.replace('7', '8'), ORDER)).status, 401)
  assert.equal((await post(ORDER)).status, 401)
  assert.deepEqual(reasons(told), ['bd_mismatch', 'bd_missing'])
})

test('routes of plugins below are judged too; whoever adds a hook of its own for one plugin does not loosen the rest', async () => {
  const { url } = await api(app => {
    app.register(
      async inner => {
        inner.get('/orders', { config: { intent: { scope: ['admin'] } } }, async () => 'never')
        inner.get('/forgotten', async () => 'never')
      },
      { prefix: '/v1' },
    )
  })
  const answer = await fetch(`${url}/v1/orders`, { headers: await boundHeaders() })
  assert.deepEqual([answer.status, (await jsonOf(answer)).error], [403, 'insufficient_scope'])
  assert.equal((await fetch(`${url}/v1/forgotten`)).status, 403)
})

test('the document is served (RFC 9728 section 3.1); under a prefix it could not be', async () => {
  const { url, options } = await api(() => {})
  const document = await jsonOf(await fetch(`${url}/.well-known/oauth-protected-resource/v1`))
  assert.deepEqual([document.resource, document.authorization_servers], [options.audience, [options.issuer]])
  const app = Fastify()
  app.register(async inner => void inner.register(remitVerifier, options), { prefix: '/v1' })
  await assert.rejects(async () => await app.ready(), /prefix/)
})

test('a rule that says what cannot be stops the start, not the first request, of whatever route', async () => {
  const wrong = [{ agent_id: 'worker' }, { scope: ['read'], allowAsserted: true }]
  for (const intent of wrong) {
    const deep = Fastify()
    deep.register(remitVerifier, given().options)
    deep.register(async inner => void inner.get('/v1/a', { config: { intent } }, async () => ''))
    await assert.rejects(async () => await deep.ready(), TypeError)
    const top = Fastify()
    await top.register(remitVerifier, given().options)
    assert.throws(() => top.get('/v1/a', { config: { intent } }, async () => ''), TypeError)
  }
})

/** Where a route can stand that a hook of ours does not see come; `void` is a registration that nobody awaited. */
const BEFORE: Readonly<Record<string, (app: FastifyInstance, config: FastifyContextConfig) => void>> = {
  'after the registration, which nobody awaited'(app, config) {
    app.register(remitVerifier, given().options)
    app.get('/v1/orders', { config }, async () => 'never')
  },
  'before it'(app, config) {
    app.get('/v1/orders', { config }, async () => 'never')
    app.register(remitVerifier, given().options)
  },
  'in a plugin before it'(app, config) {
    app.register(async inner => void inner.get('/v1/orders', { config }, async () => 'never'))
    app.register(remitVerifier, given().options)
  },
}

for (const [where, build] of Object.entries(BEFORE)) {
  test(`a route ${where} would have a rule that nobody read: the start is refused, with a rule and without`, async () => {
    for (const config of [{ intent: { scope: ['read'] } }, { intent: false }, {}] as const) {
      const app = Fastify()
      build(app, config)
      await assert.rejects(async () => await app.ready(), /A route stands before remitVerifier.*await app\.register/)
    }
  })
}

test('a registration that nobody awaited guards the plugins after it: with a rule, and without one', async () => {
  const { options } = given()
  const app = Fastify()
  after(() => app.close())
  app.register(async () => {})
  app.register(remitVerifier, options)
  app.register(async inner => {
    inner.get('/v1/orders', { config: { intent: { scope: ['read'] } } }, async () => 'orders')
    inner.get('/v1/forgotten', async () => 'never')
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  assert.equal((await fetch(`${url}/v1/orders`)).status, 401)
  assert.equal((await fetch(`${url}/v1/orders`, { headers: await boundHeaders() })).status, 200)
  const headers = await boundHeaders({ path: '/v1/forgotten' })
  assert.equal((await fetch(`${url}/v1/forgotten`, { headers })).status, 403)
})

test('a not-found handler that serves something is a route without a rule: nobody reaches it unless the API says who', async () => {
  const get = async (path: string, notFound?: RouteRule | false, headers = {}) => {
    const app = Fastify()
    after(() => app.close())
    await app.register(remitVerifier, { ...given().options, ...(notFound !== undefined && { notFound }) })
    app.setNotFoundHandler(async (_request, reply) => await reply.code(200).send('the app'))
    app.register(
      async inner => {
        inner.get('/known', { config: { intent: false } }, async (_request, reply) => reply.callNotFound())
        inner.setNotFoundHandler(async (_request, reply) => await reply.code(200).send('the inner app'))
      },
      { prefix: '/v1/inner' },
    )
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const response = await fetch(`${url}${path}`, { headers })
    return [response.status, await response.text()] as const
  }
  for (const path of ['/v1/page', '/v1/inner/page', '/']) {
    assert.equal((await get(path, undefined, await boundHeaders({ path })))[0], 403, path)
    assert.equal((await get(path, {}))[0], 401, path)
    assert.equal((await get(path, { scope: ['admin'] }, await boundHeaders({ path })))[0], 403, path)
  }
  assert.deepEqual(await get('/v1/page', false), [200, 'the app'])
  assert.deepEqual(await get('/v1/inner/page', {}, await boundHeaders({ path: '/v1/inner/page' })), [
    200,
    'the inner app',
  ])
  // What a route hands on is judged anew: that it is open says nothing of the handler.
  assert.equal((await get('/v1/inner/known'))[0], 403)
  assert.deepEqual(await get('/v1/inner/known', false), [200, 'the inner app'])
  await assert.rejects(get('/', { agent_id: 'worker' }), TypeError)
})

test('intentOf throws on a route that is open to everybody', async () => {
  const { url } = await api(app => {
    app.get('/health', { config: { intent: false } }, async request => {
      assert.throws(() => intentOf(request), /No guard/)
      return 'thrown'
    })
  })
  assert.equal(await (await fetch(`${url}/health`)).text(), 'thrown')
})

test('an open route that hands over to the not-found handler opens it to nobody; nor does another spelling of the document', async () => {
  for (const notFound of [undefined, { scope: ['read'] }]) {
    const app = Fastify({ routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } })
    after(() => app.close())
    await app.register(remitVerifier, { ...given().options, ...(notFound && { notFound }) })
    app.setNotFoundHandler(async (_request, reply) => await reply.code(200).send('the app'))
    app.get('/open/:id', { config: { intent: false } }, async (_request, reply) => reply.callNotFound())
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const document = '/.well-known/oauth-protected-resource/v1'
    for (const path of [
      '/open/7',
      document.replace('resource', 'resourc%65'),
      `${document}/`,
      document.replace('well', 'WELL'),
    ]) {
      const answer = await fetch(`${url}${path}`)
      assert.ok([401, 403, 404].includes(answer.status), `${path} ${answer.status}`)
    }
    const headers = await boundHeaders({ path: '/open/7' })
    assert.equal((await fetch(`${url}/open/7`, { headers })).status, notFound ? 200 : 403)
  }
})

test('a body in chunks without a byte, named as such by its proof, is answered', async () => {
  const { url } = await api(app => {
    app.post('/v1/orders', { config: { intent: { boundBody: true } } }, async () => 'none')
  })
  const { authorization, dpop } = await boundHeaders({ method: 'POST', bound: '' })
  const head = `POST /v1/orders HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: ${authorization}\r\nDPoP: ${dpop}\r\n`
  const sent = `${head}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  assert.equal((await rawRequest(url, sent, 30_000)).status, 200)
})
