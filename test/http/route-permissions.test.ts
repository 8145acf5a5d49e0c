import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { declareRoutes } from '../../src/server/http/route-table.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, givenClient } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'

const app = await startTestApp()
const { routes } = app.listeners
const all = [
  ...routes.public.map(route => ({ ...route, base: app.issuer })),
  ...routes.admin.map(route => ({ ...route, base: app.adminUrl })),
]

/** Fills path parameters with names that could exist. */
function pathOf(url: string): string {
  return url.replace(/:[a-z_]+/g, 'some-name').replace('*', 'file')
}

test('every route declares its permission, and a server with one that does not is not built (protocol.md section 11)', async () => {
  assert.ok(all.length > 20)
  assert.ok(all.every(route => route.permission !== undefined))
  const bare = Fastify()
  const table = declareRoutes(bare)
  bare.get('/forgotten', async () => 'open')
  assert.throws(table, /GET \/forgotten declares no permission/)
})

test('what is public is this list and no more', () => {
  const open = all.filter(({ permission, hidden }) => permission === 'public' && !hidden)
  const names = new Set(
    open.map(({ method, url, base }) => `${base === app.issuer ? 'public' : 'admin'} ${method} ${url}`),
  )
  assert.deepEqual([...names].filter(name => !name.includes(' HEAD ')).sort(), [
    'admin GET /console',
    'admin GET /console/',
    'admin GET /console/assets/app.css',
    'admin GET /console/assets/app.js',
    'admin GET /healthz',
    'admin GET /metrics',
    'admin GET /readyz',
    'public GET /.well-known/ajwt-shim-releases',
    'public GET /.well-known/jwks.json',
    'public GET /.well-known/oauth-authorization-server',
    'public GET /.well-known/oauth-protected-resource',
    'public GET /.well-known/oauth-protected-resource/admin',
    'public GET /.well-known/openid-configuration',
    'public GET /errors',
    'public GET /errors/:code',
    'public GET /healthz',
    'public GET /intent/agents/:client_id/:agent_id/jwks',
    'public GET /oauth/authorize',
    'public GET /readyz',
  ])
})

test('everything under /admin is on the admin listener only, and demands a scope of the admin audience', () => {
  assert.deepEqual(
    routes.public.filter(route => route.url.startsWith('/admin')),
    [],
  )
  const guarded = routes.admin.filter(route => route.url.startsWith('/admin') && route.permission !== 'bootstrap')
  assert.ok(guarded.length > 5)
  for (const { method, url, permission } of guarded) {
    assert.ok(typeof permission === 'object' && permission.audience === 'admin', `${method} ${url}`)
  }
})

test('[attack 106, 118] each guarded route refuses a request without a token, before it looks at the body', async () => {
  for (const { method, url, permission, base } of all) {
    if (permission === 'public' || permission === 'client') continue
    const response = await fetch(`${base}${pathOf(url)}`, { method })
    const unread = permission === 'bootstrap' && response.status === 400
    // These have no token: they refuse whatever their own page did not send.
    const foreign = permission === 'console' && response.status === 403
    assert.ok(response.status === 401 || unread || foreign, `${method} ${url}: ${response.status}`)
  }
})

test('[attack 118] a token of the issuer audience opens no admin route', async () => {
  const client = await givenClient(app)
  const token = await accessToken(app, client, { resource: app.issuer, scope: 'read:agents' })
  for (const { method, url, permission, base } of all) {
    if (typeof permission !== 'object' || permission.audience !== 'admin') continue
    const target = `${base}${pathOf(url)}`
    const headers = await boundHeaders(app, client, token, { method, url: target })
    const { status } = await fetch(target, { method, headers })
    assert.ok(status === 401 || status === 403, `${method} ${url}: ${status}`)
  }
})

test('other methods of a known path are 405 with Allow (RFC 9110 section 15.5.6)', async () => {
  for (const path of ['/oauth/token', '/oauth/introspect', '/oauth/revoke', '/intent/token']) {
    const response = await fetch(`${app.issuer}${path}?token=secret`)
    assert.equal(response.status, 405, path)
    assert.equal(response.headers.get('allow'), 'POST', path)
    assert.equal((await jsonOf(response)).error, 'invalid_request', path)
  }
  const jwks = await fetch(`${app.issuer}/.well-known/jwks.json`, { method: 'POST', body: 'x' })
  assert.equal(jwks.status, 405)
  assert.equal(jwks.headers.get('allow'), 'GET, HEAD')
})
