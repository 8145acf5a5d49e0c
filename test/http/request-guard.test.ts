import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostNames } from '../../src/server/http/request-guard.ts'
import { startTestApp } from '../support/app.ts'
import { rawRequest } from '../support/raw-http.ts'

const app = await startTestApp()
const { host } = new URL(app.issuer)

async function get(target: string, ...headers: string[]) {
  return await rawRequest(app.issuer, `GET ${target} HTTP/1.1\r\n${headers.map(line => `${line}\r\n`).join('')}\r\n`)
}

test('[attack 36] an absolute-form target is refused, whatever its host (RFC 9112 section 3.2.2)', async () => {
  for (const target of [`http://evil.example/oauth/token`, `${app.issuer}/.well-known/jwks.json`]) {
    const answer = await get(target, `Host: ${host}`)
    assert.equal(answer.status, 400, target)
    assert.match(answer.body, /request target must be a path/)
  }
})

test('[attack 107] exactly one Host header, and one that names this server (RFC 9112 section 3.2)', async () => {
  const path = '/.well-known/jwks.json'
  assert.equal((await get(path, `Host: ${host}`)).status, 200)
  assert.equal((await get(path, `Host: ${host}`, 'Host: evil.example')).status, 400)
  assert.equal((await get(path, `Host: ${host}`, `Host: ${host}`)).status, 400)
  assert.equal((await get(path, 'Host: evil.example')).status, 400)
  assert.equal((await get(path, 'Host: evil.example', `X-Forwarded-Host: ${host}`)).status, 400)
  assert.equal((await get(path, `Host: ${host.toUpperCase()}`)).status, 200)
  assert.equal((await get(path)).status, 400)
})

test('[attack 113] the admin listener answers to its own name only, against DNS rebinding', async () => {
  const url = `${app.adminUrl}/admin/v1/clients`
  const text = (name: string) => `GET /admin/v1/clients HTTP/1.1\r\nHost: ${name}\r\n\r\n`
  assert.equal((await rawRequest(url, text(new URL(app.adminUrl).host))).status, 401)
  assert.equal((await rawRequest(url, text('rebound.example'))).status, 400)
  assert.equal((await rawRequest(url, text(host))).status, 400)
})

test('a default port may be named or left out (RFC 9110 section 4.2.1)', () => {
  assert.deepEqual(hostNames(['https://Idp.example/op']), new Set(['idp.example', 'idp.example:443']))
  assert.deepEqual(hostNames(['http://idp.example']), new Set(['idp.example', 'idp.example:80']))
  assert.deepEqual(hostNames(['http://idp.example:8080']), new Set(['idp.example:8080']))
})

test('health and readiness take any Host (protocol.md section 11)', async () => {
  assert.equal((await get('/healthz', 'Host: 10.1.2.3:8080')).status, 200)
  assert.equal((await get('/readyz', 'Host: kubernetes')).status, 200)
  assert.equal((await get('/healthz', 'Host: a', 'Host: b')).status, 400)
})

test('[attack 47] two Authorization headers are refused (RFC 9110 section 11.6.2)', async () => {
  const answer = await get('/intent/agents/app', `Host: ${host}`, 'Authorization: DPoP a', 'Authorization: DPoP b')
  assert.equal(answer.status, 400)
  assert.deepEqual(JSON.parse(answer.body), {
    error: 'invalid_request',
    error_description: 'Send one Authorization header.',
    error_uri: `${app.issuer}/errors/invalid_request`,
  })
})

test('[attack 31] two DPoP headers are refused at the token endpoint and at our APIs (RFC 9449 section 4.3)', async () => {
  const twice = `Host: ${host}\r\nDPoP: a.b.c\r\nDPoP: d.e.f`
  const token = await rawRequest(app.issuer, `POST /oauth/token HTTP/1.1\r\n${twice}\r\nContent-Length: 0\r\n\r\n`)
  assert.equal(token.status, 400)
  assert.equal(JSON.parse(token.body).error, 'invalid_dpop_proof')
  const api = await get('/intent/agents/app', twice)
  assert.equal(api.status, 401)
  assert.equal(JSON.parse(api.body).error, 'invalid_dpop_proof')
})

test('[attack 107] smuggling shapes are refused and the connection closed (RFC 9112 section 6.3)', async () => {
  const start = `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\n`
  const shapes = {
    'TE and CL': `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
    'two CL': `${start}Content-Length: 4\r\nContent-Length: 5\r\n\r\na=bcd`,
    'obs-fold': `${start}X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n`,
    'space before colon': `${start}Content-Length : 0\r\n\r\n`,
    'bad chunk': `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`,
  }
  for (const [name, text] of Object.entries(shapes)) {
    const answer = await rawRequest(app.issuer, text)
    assert.equal(answer.status, 400, name)
    assert.equal(answer.answers, 1, name)
    assert.match(answer.headers, /connection: close/i, name)
  }
})

test('[attack 107] a header named __proto__ changes nothing', async () => {
  const answer = await get('/healthz', `Host: ${host}`, '__proto__: x', 'constructor: y')
  assert.equal(answer.status, 200)
})

test('[attack 104] too large headers, targets and bodies are refused without a 5xx', async () => {
  const many = Array.from({ length: 3000 }, (_, index) => `X-${index}: value`)
  assert.equal((await get('/healthz', `Host: ${host}`, ...many)).status, 431)
  assert.equal((await get('/healthz', `Host: ${host}`, `X-Large: ${'a'.repeat(20_000)}`)).status, 431)
  assert.equal((await get(`/${'a'.repeat(20_000)}`, `Host: ${host}`)).status, 431)
  const body = `a=${'b'.repeat(70_000)}`
  const large = await fetch(`${app.issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams(body) })
  assert.equal(large.status, 413)
  assert.deepEqual(await large.json(), {
    error: 'invalid_request',
    error_description: 'The body is too large.',
    error_uri: `${app.issuer}/errors/invalid_request`,
  })
})

test('[attack 105, 106] other spellings of a guarded path are not found or guarded, never open', async () => {
  const name = new URL(app.adminUrl).host
  const targets = [
    '//admin/v1/clients',
    '/%61dmin/v1/clients',
    '/ADMIN/v1/clients',
    '/admin/v1/clients/',
    '/admin/v1/clients%00',
    '/admin/v1/..%2fv1/clients',
    '/admin/v1/%2e%2e/v1/clients',
    '/admin/v1/clients/%c0%af',
    '/admin/v1/clients;x=1',
  ]
  for (const target of targets) {
    const answer = await rawRequest(app.adminUrl, `GET ${target} HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
    assert.ok([400, 401, 404].includes(answer.status), `${target}: ${answer.status}`)
    assert.match(answer.headers, /application\/problem\+json/, target)
  }
})

test('[attack 30] forwarded headers of an untrusted peer change neither the issuer nor the logged address', async () => {
  const forwarded = ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.example']
  const answer = await get('/.well-known/oauth-authorization-server', `Host: ${host}`, ...forwarded)
  assert.equal(JSON.parse(answer.body).issuer, app.issuer)
  assert.ok(!app.log.some(line => line.includes('203.0.113.9')))
})
