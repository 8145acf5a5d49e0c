import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import express from 'express'
import { keepRawBody, protect } from '../../../src/verifier/adapters/express.ts'
import { jsonOf } from '../../support/json-of.ts'
import { APPROVED_STEP, api, approvedToken, ORDER, post, type Setup } from './express-api.ts'
import { given, listening } from './issued.ts'

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

const ORDERS: readonly (readonly [string, Setup])[] = [
  ['the guard before express.json()', { after: [express.json({ limit: '1mb' })] }],
  [
    'the guard after express.json() that keeps the bytes',
    { before: [express.json({ limit: '1mb', verify: keepRawBody })] },
  ],
]

for (const [how, setup] of ORDERS) {
  test(`[attack 126] ${how}: bd holds the body, and handlers get it (section 8)`, async () => {
    const { url, told } = await api(setup)
    const good = await post(url, { body: ORDER, call: { bound: ORDER } })
    assert.deepEqual(await jsonOf(good), { client_id: 'patcher-app', body: { order: 7, item: 'tea' } })
    const plain = await post(url, { body: ORDER })
    assert.deepEqual((await jsonOf(plain)).body, { order: 7, item: 'tea' })
    const swapped = await post(url, { body: ORDER.replace('7', '8'), call: { bound: ORDER } })
    assert.deepEqual([swapped.status, (await jsonOf(swapped)).error], [401, 'invalid_dpop_proof'])
    const dropped = await post(url, { call: { bound: ORDER } })
    assert.equal(dropped.status, 401)
    assert.deepEqual(
      told.refusals.map(({ reason }) => reason),
      ['bd_mismatch', 'bd_mismatch'],
    )
    assert.deepEqual(told.log, [])
  })

  test(`${how}: an approval is compared with the body (section 8)`, async () => {
    const { url, told } = await api({ ...setup, rule: APPROVED_STEP })
    const token = await approvedToken('{"item":"tea","order":7}')
    assert.equal((await post(url, { body: ORDER, call: { token } })).status, 200)
    assert.equal((await post(url, { body: ORDER.replace('tea', 'gin'), call: { token } })).status, 403)
    assert.deepEqual(
      told.refusals.map(({ reason }) => reason),
      ['approval_other_body'],
    )
  })

  test(`${how}: a body in pieces, longer than any buffer`, async () => {
    const { url } = await api(setup)
    const body = JSON.stringify({ rows: Array.from({ length: 8_000 }, (_, index) => `row ${index}`) })
    const pieces = inPieces(Buffer.from(body), 10_007)
    const answer = await post(url, { body: pieces, duplex: 'half', call: { bound: body } })
    assert.deepEqual((await jsonOf(answer)).body, JSON.parse(body))
  })
}

test('a parser before the guard that kept nothing is a fault of the API: 500, told to its developer', async () => {
  const { url, told } = await api({ before: [express.json()] })
  const answer = await post(url, { body: ORDER, call: { bound: ORDER } })
  assert.deepEqual([answer.status, answer.headers.get('www-authenticate')], [500, null])
  assert.deepEqual(await jsonOf(answer), {
    error: 'server_error',
    error_description: 'The request could not be judged.',
  })
  assert.match(told.log.join(), /keepRawBody/)
  // What names no body needs none.
  assert.equal((await post(url, { body: ORDER })).status, 200)
})

/** One text, and what a parser makes of it that follows the Content-Type. */
const TWO_MEANINGS: readonly (readonly [string, string])[] = [
  ['{"amount":1,"note":"+ACI,+ACI-amount+ACI:1000000,+ACI-x+ACI:+ACI-"}', 'application/json; charset=utf-7'],
  ['{"amount":1,"note":"&amount=1000000&x="}', 'application/x-www-form-urlencoded'],
]

for (const [how, options] of [
  ['before', {}],
  ['after', { verify: keepRawBody }],
] as const) {
  const parsers = [express.json(options), express.urlencoded({ extended: false, ...options })]
  const setup = how === 'before' ? { after: parsers } : { before: parsers }

  test(`[attack 126] a guard ${how} the parsers: no header that nobody signed turns an approved body into another`, async () => {
    const { url, told, reached } = await api({ ...setup, rule: { ...APPROVED_STEP, boundBody: true } })
    for (const [body, type] of TWO_MEANINGS) {
      const token = await approvedToken(body)
      const headers = { 'content-type': type }
      assert.equal((await post(url, { body, headers, call: { token, bound: body } })).status, 415, type)
    }
    assert.deepEqual(reached, [])
    assert.deepEqual(
      told.refusals.map(({ reason }) => reason),
      ['body_charset', 'body_no_json_type'],
    )
  })

  test(`[attack 126] a guard ${how} the parsers: a further guard looks at the type as well`, async () => {
    const { options: ofApi } = given()
    const guard = protect(ofApi)
    const app = express()
    app.use(...(setup.before ?? []), guard({}), ...(setup.after ?? []))
    // Behind it nobody reads the body again: the type is what is asked first.
    app.post('/v1/orders', guard(APPROVED_STEP), () => assert.fail('It was let pass.'))
    const [, [body, type] = ['', '']] = TWO_MEANINGS
    const call = { token: await approvedToken(body) }
    const answer = await post(`${await listening(app)}/v1/orders`, { body, call, headers: { 'content-type': type } })
    assert.equal(answer.status, 415)
  })

  test(`a guard ${how} the parsers: an encoded body is compared with nothing (RFC 9110 section 8.4)`, async () => {
    const zipped = gzipSync(ORDER)
    const sent = { body: zipped, headers: { 'content-encoding': 'gzip' } }
    const { url, told } = await api(setup)
    for (const bound of [zipped, ORDER]) assert.equal((await post(url, { ...sent, call: { bound } })).status, 415)
    assert.deepEqual(
      told.refusals.map(({ reason }) => reason),
      ['body_encoded', 'body_encoded'],
    )
    // What names no body is nobody's to compare.
    assert.deepEqual((await jsonOf(await post(url, sent))).body, { order: 7, item: 'tea' })
  })
}

test('a handler may stream a body that the guard read', async () => {
  const { options } = given()
  const app = express().post('/v1/orders', protect(options)({ boundBody: true }), async (request, response) => {
    let size = 0
    for await (const chunk of request) size += Buffer.from(chunk).byteLength
    response.json({ size })
  })
  const body = 'x'.repeat(300_000)
  const url = `${await listening(app)}/v1/orders`
  assert.deepEqual(await jsonOf(await post(url, { body, call: { bound: body } })), { size: 300_000 })
})
