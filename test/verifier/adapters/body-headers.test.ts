import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protect } from '../../../src/verifier/adapters/node-http.ts'
import type { RouteRule } from '../../../src/verifier/route-rule.ts'
import { rawRequest } from '../../support/raw-http.ts'
import { INTENT, STEP_CLAIMS } from '../given-call.ts'
import { boundHeaders, digest, given, issuedToken, listening } from './issued.ts'

/* Over raw sockets: a client library would mend what it sends. */

const BODY = '{"amount":1}'
const APPROVED_STEP = { client_id: 'patcher-app', workflow_step: 'pay', approval: 'json-body' } as const

async function sends(rule: RouteRule) {
  const { options, told } = given()
  const url = await listening(protect(options)(rule, (_request, response) => void response.end('let pass')))
  const approval = { id: 'apr_1', arguments_digest: digest(BODY) }
  const token = await issuedToken({ agent_proof: STEP_CLAIMS.agent_proof, intent: { ...INTENT, approval } })
  return async (...lines: readonly string[]) => {
    told.refusals.length = 0
    const { authorization, dpop } = await boundHeaders({ method: 'POST', token, bound: BODY })
    const own = [`Authorization: ${authorization}`, `DPoP: ${dpop}`, `Content-Length: ${BODY.length}`]
    const head = ['POST /v1/orders HTTP/1.1', 'Host: h', ...own, ...lines, 'Connection: close', '', '']
    const { status } = await rawRequest(url, `${head.join('\r\n')}${BODY}`)
    return [status, ...told.refusals.map(({ reason }) => reason)]
  }
}

test('[attack 126] a bound body comes in no charset but utf-8, under one Content-Type (RFC 9110 section 8.3)', async () => {
  const send = await sends({ boundBody: true })
  const good = [
    'text/csv',
    'application/json;charset=utf-8',
    'a/b; x="y z" ;  Charset="UTF-8"',
    'multipart/form-data; b=--x',
  ]
  for (const type of good) assert.deepEqual(await send(`Content-Type: ${type}`), [200], type)
  assert.deepEqual(await send(), [200])
  const bad = [
    'application/json; charset=utf-7',
    'application/json; charset="utf-16"',
    'application/json; charset=utf-8; charset=utf-7',
    'application/json; charset=utf-8x',
    'application/json; charset="utf-8',
    'application/json; charset="utf\\-8"',
    "application/json; charset*=us-ascii''utf-7",
    'application/json; charset = utf-7',
    'application/json; charset=',
    'application/json, text/plain; charset=utf-7',
    'application/json charset=utf-7',
    'json',
    '',
  ]
  for (const type of bad) assert.deepEqual(await send(`Content-Type: ${type}`), [415, 'body_charset'], type)
  const twice = ['Content-Type: application/json', 'content-type: application/json']
  assert.deepEqual(await send(...twice), [415, 'body_charset'])
})

test('[attack 126] a bound body comes as it stands, without any coding (RFC 9110 section 8.4)', async () => {
  const send = await sends({ boundBody: true })
  assert.deepEqual(await send('Content-Encoding: Identity'), [200])
  for (const coding of ['gzip', 'identity, gzip', 'x-anything', '']) {
    assert.deepEqual(await send(`Content-Encoding: ${coding}`), [415, 'body_encoded'], coding)
  }
  assert.deepEqual(await send('Content-Encoding: identity', 'Content-Encoding: br'), [415, 'body_encoded'])
})

test('[attack 126] an approved body comes as JSON and as nothing else (section 8)', async () => {
  const send = await sends(APPROVED_STEP)
  for (const type of ['application/json', 'Application/JSON; charset=UTF-8', 'application/vnd.api+json; v=2']) {
    assert.deepEqual(await send(`Content-Type: ${type}`), [200], type)
  }
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'text/json',
    'a/json+b',
  ]) {
    assert.deepEqual(await send(`Content-Type: ${type}`), [415, 'body_no_json_type'], type)
  }
  assert.deepEqual(await send(), [415, 'body_no_json_type'])
  assert.deepEqual(await send('Content-Type: application/json; charset=utf-7'), [415, 'body_charset'])
})
