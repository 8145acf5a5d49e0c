import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { clientCreateSchema } from '../../src/protocol/client.ts'
import { rawRequest } from '../support/raw-http.ts'
import { type Attempt, agentGrant, clientCredentials, requestOf, send, tokenRequest } from './attempt.ts'
import { givenWorld } from './given.ts'
import { type Expected, refused } from './refused.ts'

const world = await givenWorld()
const goodForm = () => clientCredentials(world)
const goodJson = () => agentGrant(world, '/intent/token', world.solo)
const INVALID = { status: 400, error: 'invalid_request', audited: false } as const

/** A good request whose body text is changed. */
function rewritten(good: Attempt, change: (body: string) => string | Buffer): Attempt {
  return { ...good, body: change(String(requestOf(good).body)) }
}

function typed(good: Attempt, contentType: string | undefined): Attempt {
  return { ...good, headers: { ...good.headers, 'Content-Type': contentType } }
}

type Case = {
  readonly row: number
  readonly name: string
  readonly attempt: () => Attempt
  readonly expect: Partial<Expected> & { reason: string }
}

const json = (change: (body: string) => string | Buffer) => () => rewritten(goodJson(), change)
const urlencoded = (change: (body: string) => string | Buffer) => () => rewritten(goodForm(), change)
const member = (text: string) => json(body => body.replace('{', `{${text},`))

const CASES: readonly Case[] = [
  {
    row: 96,
    name: '__proto__ in JSON',
    attempt: member('"__proto__":{"scope":"admin"}'),
    expect: { reason: 'json_forbidden_member' },
  },
  {
    row: 96,
    name: 'constructor.prototype',
    attempt: member('"constructor":{"prototype":{}}'),
    expect: { reason: 'json_forbidden_member' },
  },
  {
    row: 96,
    name: '__proto__ in a form',
    attempt: urlencoded(body => `${body}&__proto__=x`),
    expect: { reason: 'forbidden_parameter' },
  },
  ...[
    ['agent_id', '["solo"]'],
    ['agent_id', '1'],
    ['agent_id', 'null'],
    ['audience', 'true'],
    ['requested_scopes', '"read"'],
    ['requested_scopes', '[1]'],
    ['delegation_context', '"x"'],
  ].map(([name = '', value = '']) => ({
    row: 98,
    name: `${name}: ${value}`,
    attempt: () => {
      const attempt = goodJson()
      attempt.params[name] = JSON.parse(value)
      return attempt
    },
    expect: { reason: 'malformed_parameter' },
  })),
  ...[
    'scope=read',
    'grant_type=client_credentials',
    'client_assertion=x',
    'client_id=a&client_id=a',
    '%73cope=read',
  ].map(more => ({
    row: 99,
    name: more,
    attempt: urlencoded(body => `${body}&${more}`),
    expect: { reason: 'repeated_parameter' },
  })),
  {
    row: 100,
    name: 'a member twice',
    attempt: member('"grant_type":"x"'),
    expect: { reason: 'json_duplicate_member' },
  },
  {
    row: 100,
    name: 'a member twice by escape',
    attempt: member('"gr\\u0061nt_type":"x"'),
    expect: { reason: 'json_duplicate_member' },
  },
  { row: 100, name: '2^53', attempt: member('"n":9007199254740993'), expect: { reason: 'json_number' } },
  { row: 100, name: '1e999', attempt: member('"n":1e999'), expect: { reason: 'json_number' } },
  { row: 100, name: 'a byte order mark', attempt: json(body => `\ufeff${body}`), expect: { reason: 'json_bom' } },
  ...[
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded; charset=utf-7',
    '\tapplication/json',
    undefined,
  ].map(type => ({
    row: 101,
    name: `a form as ${type}`,
    attempt: () => typed(goodForm(), type),
    expect: { reason: 'http_415' },
  })),
  ...[
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/json; charset=utf-7',
    'application/json\t; charset=utf-8',
    'application/jsonx',
    undefined,
  ].map(type => ({
    row: 101,
    name: `JSON as ${type}`,
    attempt: () => typed(goodJson(), type),
    expect: { status: 415, reason: 'http_415' },
  })),
  {
    row: 101,
    name: 'two content types',
    attempt: () => ({ ...goodForm(), extraHeaders: ['Content-Type', 'application/json'] }),
    expect: { reason: 'content_type_header' },
  },
  {
    row: 101,
    name: 'a compressed body',
    attempt: () => ({ ...goodForm(), headers: { 'Content-Encoding': 'gzip' } }),
    expect: { reason: 'http_415' },
  },
  { row: 102, name: 'NUL in a form', attempt: urlencoded(body => `${body}&x=%00`), expect: { reason: 'form_nul' } },
  { row: 102, name: '%ff in a form', attempt: urlencoded(body => `${body}&x=%ff`), expect: { reason: 'invalid_utf8' } },
  {
    row: 102,
    name: 'overlong in a form',
    attempt: urlencoded(body => `${body}&x=%c0%af`),
    expect: { reason: 'invalid_utf8' },
  },
  {
    row: 102,
    name: 'a raw byte in a form',
    attempt: urlencoded(body => Buffer.concat([Buffer.from(`${body}&x=`), Buffer.of(0xff)])),
    expect: { reason: 'invalid_utf8' },
  },
  {
    row: 102,
    name: 'a stray percent sign',
    attempt: urlencoded(body => `${body}&x=%f`),
    expect: { reason: 'malformed_percent_encoding' },
  },
  { row: 102, name: 'NUL in JSON', attempt: member('"x":"\\u0000"'), expect: { reason: 'json_nul' } },
  { row: 102, name: 'a lone surrogate', attempt: member('"x":"\\ud800"'), expect: { reason: 'json_lone_surrogate' } },
  {
    row: 102,
    name: 'bytes that are not UTF-8',
    attempt: json(body =>
      Buffer.concat([Buffer.from(body.slice(0, -1)), Buffer.from(',"x":"'), Buffer.of(0xc0, 0xaf), Buffer.from('"}')]),
    ),
    expect: { reason: 'invalid_utf8' },
  },
  { row: 103, name: '30,000 deep', attempt: json(() => '['.repeat(30_000)), expect: { reason: 'json_depth' } },
  {
    row: 103,
    name: '33 deep',
    attempt: member(`"x":${'['.repeat(33)}${']'.repeat(33)}`),
    expect: { reason: 'json_depth' },
  },
  {
    row: 103,
    name: '10,001 members',
    attempt: json(() => `{${Array.from({ length: 10_001 }, (_, n) => `"${n}":1`).join()}}`),
    expect: { status: 413, reason: 'http_413' },
  },
  {
    row: 103,
    name: '65 parameters',
    attempt: urlencoded(body => `${body}&${Array.from({ length: 65 }, (_, n) => `p${n}=1`).join('&')}`),
    expect: { reason: 'too_many_parameters' },
  },
  {
    row: 103,
    name: '200,000 deep',
    attempt: json(() => '['.repeat(200_000)),
    expect: { status: 413, reason: 'http_413' },
  },
  {
    row: 104,
    name: 'more than 64 KB of JSON',
    attempt: member(`"x":"${'x'.repeat(70_000)}"`),
    expect: { status: 413, reason: 'http_413' },
  },
  {
    row: 104,
    name: 'more than 64 KB of form',
    attempt: urlencoded(body => `${body}&x=${'x'.repeat(70_000)}`),
    expect: { status: 413, reason: 'http_413' },
  },
  { row: 96, name: 'a body that is no object', attempt: json(() => '[]'), expect: { reason: 'request_schema' } },
  { row: 102, name: 'JSON cut short', attempt: json(body => body.slice(0, -1)), expect: { reason: 'json_malformed' } },
]

for (const [row, cases] of Map.groupBy(CASES, one => one.row)) {
  test(`[attack ${row}] the token endpoints refuse ${cases.map(one => one.name).join('; ')}`, async () => {
    for (const { name, attempt, expect } of cases) {
      await refused(world, attempt(), { ...INVALID, ...expect }, goodForm()).catch(error => {
        throw new Error(`${name}: ${error.message}`, { cause: error })
      })
    }
  })
}

/**
 * The row says 100 ms. It is the work of this process that is counted, which is server and sender in one: time on the
 * wall would be that of a busy machine. And the least of some, because a collection of garbage is not the request's.
 */
async function leastWork(attempt: () => Attempt): Promise<number> {
  const took: number[] = []
  for (let n = 0; n < 5; n += 1) {
    const ready = attempt()
    const before = process.cpuUsage()
    const { status } = await send(world, ready)
    const { user, system } = process.cpuUsage(before)
    assert.ok(status === 400 || status === 413)
    took.push((user + system) / 1000)
  }
  return Math.min(...took)
}

test('[attack 103] a deep, a wide and a long body are each refused with less than 100 ms of work', async () => {
  for (const { name, attempt } of CASES.filter(({ row }) => row === 103)) {
    const took = await leastWork(attempt)
    assert.ok(took < 100, `${name} took ${took} ms`)
  }
})

test('[attack 95] what is no agent_id is unknown, and stands nowhere in the audit trail (section 4)', async () => {
  for (const agent_id of ['x y', 'a\u0001\u001b[31m', '|'.repeat(128), 'a/b', 'pl\u0430nner']) {
    const attempt = agentGrant(world, '/intent/token', world.solo)
    attempt.params.agent_id = agent_id
    const expected = { status: 401, error: 'unknown_agent', reason: 'unknown_agent', audited: true }
    await refused(world, attempt, expected, agentGrant(world, '/intent/token', world.solo))
    const row = await world.ctx.db
      .selectFrom('audit_event')
      .select('agent_id')
      .where('outcome', '=', 'refused')
      .executeTakeFirst()
    assert.deepEqual(row, { agent_id: null }, JSON.stringify(agent_id))
  }
})

test('[attack 99] introspection and revocation refuse a parameter sent twice (RFC 6749 section 3.2)', async () => {
  for (const path of ['/oauth/introspect', '/oauth/revoke'] as const) {
    const good = () => tokenRequest(world, path, world.client, 'x')
    const twice = rewritten(good(), body => `${body}&token=y`)
    await refused(world, twice, { ...INVALID, reason: 'repeated_parameter' }, good())
    const none = { ...good(), params: {} }
    await refused(world, none, { ...INVALID, reason: 'malformed_parameter' }, good())
  }
})

test('[attack 96] parameters named like members of objects are inert (RFC 6749 section 3.2: ignored)', async () => {
  const attempt = goodForm()
  const names = ['constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf']
  attempt.params = { ...attempt.params, ...Object.fromEntries(names.map(name => [name, 'x'])) }
  assert.equal((await send(world, attempt)).status, 200)
})

test('[attack 97] members that are not the caller’s to set enter no token', async () => {
  const attempt = goodJson()
  const more = { status: 'active', version: 99, client: { access: [] }, approved_by: 'me', kind: 'operator' }
  attempt.params = { ...attempt.params, ...more }
  const { body } = await send(world, attempt)
  const [, payload = ''] = String(body.access_token).split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  assert.deepEqual([claims.agent_proof.version, claims.scope], [1, 'read'])
})

test('[attack 104] headers and targets that are too large are refused before anything is read', async () => {
  const { host } = new URL(world.app.issuer)
  const long = 'x'.repeat(20_000)
  const many = Array.from({ length: 3_000 }, (_, n) => `X-${n}: value\r\n`).join('')
  const requests = {
    'a long header': `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\nX-Long: ${long}\r\nContent-Length: 0\r\n\r\n`,
    '3,000 headers': `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\n${many}Content-Length: 0\r\n\r\n`,
    // The parser has one limit for target and headers, and one answer for both.
    'a long target': `POST /oauth/token?x=${long} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`,
  }
  for (const [name, request] of Object.entries(requests)) {
    assert.equal((await rawRequest(world.app.issuer, request)).status, 431, name)
    assert.equal((await send(world, goodForm())).status, 200)
  }
})

test('[attack 107] two lengths, a length and chunks, or two Hosts never reach a handler', async () => {
  const { host } = new URL(world.app.issuer)
  const start = `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\n`
  const requests = [
    `${start}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    `${start}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${start}Host: ${host}\r\nContent-Length: 1\r\n\r\na`,
    `${start}X: a\r\n b\r\nContent-Length: 1\r\n\r\na`,
  ]
  for (const request of requests) assert.match(await raw(request), /^HTTP\/1\.1 400 /)
  assert.equal((await send(world, goodForm())).status, 200)
})

test('[attack 110] what a caller sends stands in one JSON line of the log, or nowhere', async () => {
  const { log } = world.app
  const before = log.length
  const attempt = goodForm()
  const hostile = 'x\r\n{"level":60}\u001b[31m\u2028'
  attempt.params = { ...attempt.params, scope: hostile, resource: hostile }
  attempt.extraHeaders = ['User-Agent', 'x {"level":60}']
  const expected = { status: 400, error: 'invalid_scope', reason: 'malformed_scope', audited: false }
  await refused(world, attempt, expected, goodForm())
  const lines = log.slice(before)
  assert.ok(lines.length > 0)
  for (const line of lines) {
    assert.equal(typeof JSON.parse(line), 'object')
    for (const part of ['\u001b', '\u2028', `level":60`]) assert.equal(line.includes(part), false, line)
  }
})

test('[attack 113] the token endpoints answer no origin (no CORS)', async () => {
  const attempt = goodForm()
  attempt.headers = { Origin: 'https://evil.example.com' }
  const { status, headers } = await send(world, attempt)
  assert.equal(status, 200)
  assert.deepEqual(
    Object.keys(headers).filter(name => name.startsWith('access-control')),
    [],
  )
  const preflight = await send(world, {
    ...attempt,
    method: 'OPTIONS',
    extraHeaders: ['Access-Control-Request-Method', 'POST'],
  })
  assert.equal(preflight.status, 405)
  assert.deepEqual(
    Object.keys(preflight.headers).filter(name => name.startsWith('access-control')),
    [],
  )
})

test('[attack 109] SQL in every parameter is a text like any other', async () => {
  const hostile = "x' or '1'='1'; drop table token; --"
  for (const name of ['client_id', 'agent_id', 'scope', 'resource', 'workflow_id', 'workflow_step']) {
    const attempt = agentGrant(world, '/oauth/token', world.solo)
    attempt.params = { ...attempt.params, [name]: hostile }
    const { status } = await send(world, attempt)
    assert.ok(status >= 400 && status < 500, name)
  }
  assert.equal((await send(world, goodForm())).status, 200)
})

test('[attack 108] no other URL than jwks_uri is taken from a caller, and a client_id is no URL', () => {
  const client = {
    client_name: 'x',
    owner: 'user:local:x',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    access: [],
  }
  assert.equal(clientCreateSchema.safeParse(client).success, true)
  const url = 'http://169.254.169.254/latest'
  for (const name of ['logo_uri', 'client_uri', 'sector_identifier_uri', 'webhook_uri', 'client_id']) {
    assert.equal(clientCreateSchema.safeParse({ ...client, [name]: url }).success, false, name)
  }
})

/** Sends the very bytes and reads until the server closes. */
async function raw(request: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(world.app.issuer).port) })
  socket.end(request)
  let answer = ''
  for await (const chunk of socket.setEncoding('utf8')) answer += chunk
  return answer
}
