import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, givenAdmin, givenClient } from '../support/given.ts'
import { rawRequest } from '../support/raw-http.ts'

const app = await startTestApp()
const { host } = new URL(app.issuer)
const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'
const error_uri = `${app.issuer}/errors/invalid_request`

async function post(
  path: string,
  type: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
) {
  const response = await fetch(`${app.issuer}${path}`, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body,
  })
  return { status: response.status, text: await response.text(), response }
}

test('[attack 101] each endpoint takes its own content type only (RFC 6749 section 5.2, RFC 9110 section 15.5.16)', async () => {
  const oauth = [JSON_TYPE, 'text/plain', 'multipart/form-data; boundary=x', `${FORM}; charset=utf-7`, `${FORM};x=y`]
  for (const type of oauth) {
    for (const path of ['/oauth/token', '/oauth/introspect', '/oauth/revoke']) {
      const answer = await post(path, type, 'grant_type=client_credentials')
      assert.equal(answer.status, 400, type)
      const error_description = `Send ${FORM}.`
      assert.deepEqual(JSON.parse(answer.text), { error: 'invalid_request', error_description, error_uri })
    }
  }
  assert.equal((await post('/oauth/token', 'x', 'grant_type=client_credentials')).status, 400)
  for (const type of [
    FORM,
    'text/plain',
    'application/jsonx',
    `${JSON_TYPE}; charset=utf-16`,
    'application/json-patch+json',
  ]) {
    const answer = await post('/intent/token', type, '{}')
    assert.equal(answer.status, 415, type)
    const error_description = `Send ${JSON_TYPE}.`
    assert.deepEqual(JSON.parse(answer.text), { error: 'invalid_request', error_description, error_uri })
  }
})

test('[attack 101] an exact content type, with or without charset utf-8, is read', async () => {
  for (const type of [JSON_TYPE, 'Application/JSON; charset=UTF-8', `${JSON_TYPE};charset=utf-8`]) {
    const answer = await post('/intent/token', type, '{"grant_type":"nonsense"}')
    assert.equal(JSON.parse(answer.text).error, 'unsupported_grant_type', type)
  }
  const form = await post('/oauth/token', `${FORM}; charset=utf-8`, 'grant_type=nonsense')
  assert.equal(JSON.parse(form.text).error, 'unsupported_grant_type')
})

test('[attack 101] two Content-Type headers and a content coding are refused', async () => {
  const start = `POST /intent/token HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2\r\n`
  const twice = `${start}Content-Type: ${JSON_TYPE}\r\nContent-Type: ${FORM}\r\n\r\n{}`
  assert.equal((await rawRequest(app.issuer, twice)).status, 400)
  const coded = `${start}Content-Type: ${JSON_TYPE}\r\nContent-Encoding: gzip\r\n\r\n{}`
  assert.equal((await rawRequest(app.issuer, coded)).status, 415)
})

test('[attack 96, 100, 102, 103] ambiguous or hostile JSON is 400 and quick, never 5xx (RFC 7493)', async () => {
  const bodies: Record<string, string | Uint8Array<ArrayBuffer>> = {
    'duplicate member': '{"grant_type":"a","grant_type":"b"}',
    'unsafe integer': '{"grant_type":9007199254740993}',
    overflow: '{"grant_type":1e999}',
    'byte order mark': '\ufeff{}',
    nul: '{"grant_type":"\\u0000"}',
    'lone surrogate': '{"grant_type":"\\ud800"}',
    'invalid utf-8': new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    overlong: new Uint8Array([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
    __proto__: '{"__proto__":{"grant_type":"x"}}',
    'constructor.prototype': '{"constructor":{"prototype":{"a":1}}}',
    deep: `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
    'no object': '[]',
    'no json': '{',
    empty: '',
  }
  for (const [name, body] of Object.entries(bodies)) {
    const started = performance.now()
    const answer = await post('/intent/token', JSON_TYPE, body)
    assert.equal(answer.status, 400, name)
    assert.equal(JSON.parse(answer.text).error, 'invalid_request', name)
    assert.ok(performance.now() - started < 500, name)
  }
  const wide = `{${Array.from({ length: 5000 }, (_, index) => `"k${index}":1`).join(',')}}`
  assert.equal((await post('/intent/token', JSON_TYPE, wide)).status, 400)
  assert.equal((await post('/intent/token', JSON_TYPE, `"${'['.repeat(200_000)}"`)).status, 413)
})

test('[attack 99, 102, 103] repeated, malformed or too many form parameters are 400 (RFC 6749 section 3.2)', async () => {
  const bodies = {
    'grant_type=a&grant_type=b': 'invalid_request',
    'grant_type=%ff': 'invalid_request',
    'grant_type=%zz': 'invalid_request',
    'grant_type=%00': 'invalid_request',
    '__proto__=x&grant_type=y': 'invalid_request',
    'resource=a&resource=b': 'invalid_target',
    [Array.from({ length: 65 }, (_, index) => `p${index}=1`).join('&')]: 'invalid_request',
  }
  for (const [body, error] of Object.entries(bodies)) {
    const answer = await post('/oauth/token', FORM, body)
    assert.equal(answer.status, 400, body)
    assert.equal(JSON.parse(answer.text).error, error, body)
  }
})

test('[attack 97, 98] unknown members and coerced types at the admin API are 400, and no value is echoed', async () => {
  const admin = await givenAdmin(app)
  const token = await accessToken(app, admin, { resource: `${app.issuer}/admin`, scope: 'admin:resources' })
  const url = `${app.adminUrl}/admin/v1/resources`
  const good = { resource: 'https://api.example.com', scopes: [{ name: 'read' }] }
  const bodies = [
    { ...good, status: 'CANARY-1' },
    { ...good, created_by: 'CANARY-1' },
    { ...good, scopes: 'CANARY-1' },
    { ...good, max_token_lifetime: '300' },
    { ...good, allow_bearer: 1 },
    { ...good, resource: ['https://api.example.com'] },
    { ...good, token_profile: null },
    { ...good, 'CANARY-1': true },
  ]
  for (const body of bodies) {
    const headers = { 'content-type': JSON_TYPE, ...(await boundHeaders(app, admin, token, { method: 'POST', url })) }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    const text = await response.text()
    assert.equal(response.status, 400, text)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.equal(JSON.parse(text).code, 'invalid_request')
    assert.ok(!text.includes('CANARY-1'), text)
  }
})

test('a body of one megabyte is taken where prompts are registered, and nowhere else', async () => {
  const large = JSON.stringify({ text: 'a'.repeat(100_000) })
  // 401 comes before the body is read; the limit is seen at the token endpoint.
  assert.equal((await post('/intent/register/agent', JSON_TYPE, large)).status, 401)
  assert.equal((await post('/intent/token', JSON_TYPE, large)).status, 413)
})

test('[attack 104] a workflow of more than 128 KB is 413, an agent of nearly one megabyte is registered (section 5)', async () => {
  const client = await givenClient(app)
  const scope = 'register:intent register:workflow'
  const token = await accessToken(app, client, { resource: app.issuer, scope, bearer: true })
  const headers = { authorization: `Bearer ${token}` }
  const steps = (bytes: number) => [{ step_id: 's', action: 'a'.repeat(bytes) }]
  const workflow = (bytes: number) => JSON.stringify({ workflow_id: 'w', steps: steps(bytes) })
  const agent = (bytes: number) => {
    const agent_components = { agent_id: 'large', prompt_template: 'a'.repeat(bytes), tools: [] }
    return JSON.stringify({ app_id: client.client_id, agent_components })
  }
  const flow = '/intent/register/workflow'
  assert.equal((await post(flow, JSON_TYPE, workflow(128 * 1024), headers)).status, 413)
  // Read, and refused for another cause: its action is too long.
  assert.equal((await post(flow, JSON_TYPE, workflow(127 * 1024), headers)).status, 400)
  const path = '/intent/register/agent'
  assert.equal((await post(path, JSON_TYPE, agent(1_048_576), headers)).status, 413)
  const registered = await post(path, JSON_TYPE, agent(1_000_000), headers)
  assert.equal(registered.status, 200, registered.text)
})
