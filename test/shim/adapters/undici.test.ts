import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import * as undici from 'undici'
import { agentInterceptor } from '../../../src/shim/adapters/undici.ts'
import { startTestApp } from '../../support/app.ts'
import { givenAgent } from '../../support/given.ts'
import { agentOf, givenHost, PROMPT, startApi } from '../setting.ts'

const app = await startTestApp()

async function given() {
  const [api, other] = [await startApi(app), await startApi(app)]
  const host = await givenHost(app, [api, other])
  const agent_components = { agent_id: 'pager', prompt_template: PROMPT, tools: [] }
  await givenAgent(app, host.client, 'pager', { agent_components, public_key: undefined })
  return { api, other, agent: agentOf(app, host, [api]) }
}

test('request and stream of undici carry token and proof, and nothing to other addresses', async t => {
  const { api, other, agent } = await given()
  const dispatcher = new undici.Agent().compose(agentInterceptor(agent))
  t.after(() => dispatcher.close())
  const forms = [{ Authorization: 'Bearer old', x: '1' }, ['DPoP', 'old', 'x', '1'], new Headers({ x: '1' }), undefined]
  for (const headers of forms) {
    const { statusCode, body } = await undici.request(`${api.resource}/a?b=1`, { dispatcher, headers: headers ?? null })
    await body.dump()
    assert.equal(statusCode, 200)
  }
  assert.equal(new Set(api.calls.map(({ proof }) => proof?.jti)).size, forms.length)
  const elsewhere = await undici.request(other.resource, { dispatcher })
  assert.equal(elsewhere.statusCode, 401)
  assert.deepEqual(other.refused, ['token_missing'])
})

test('a body of text or bytes is named in the proof, and a stream is refused rather than left unnamed', async t => {
  const { api, agent } = await given()
  const dispatcher = new undici.Agent().compose(agentInterceptor(agent, { bindBody: true }))
  t.after(() => dispatcher.close())
  api.rule = { boundBody: true }
  for (const body of ['{"page":1}', Buffer.from('bytes'), null]) {
    const { statusCode, body: answer } = await undici.request(api.resource, { dispatcher, method: 'POST', body })
    await answer.dump()
    assert.equal(statusCode, 200)
  }
  const stream = undici.request(api.resource, { dispatcher, method: 'POST', body: Readable.from(['a', 'b']) })
  await assert.rejects(stream, { reason: 'body_not_given' })
})

test('a path names no other host: the token goes to the origin that is called, or nowhere', async t => {
  const { api, other, agent } = await given()
  const dispatcher = new undici.Agent().compose(agentInterceptor(agent))
  t.after(() => dispatcher.close())
  const client = new undici.Client(other.resource).compose(agentInterceptor(agent))
  t.after(() => client.close())
  for (const path of [`//${new URL(api.resource).host}/pages`, `${api.resource}/pages`]) {
    const { statusCode } = await client
      .request({ origin: other.resource, path, method: 'GET' })
      .catch(() => ({ statusCode: 0 }))
    assert.ok([0, 400, 401].includes(statusCode))
  }
  assert.deepEqual([other.calls, api.calls], [[], []])
  assert.ok(other.refused.every(reason => reason === 'token_missing'))
})

test('a token that the API refuses is not used again, and what the API asks of a nonce is kept', async t => {
  const { agent, api } = await given()
  const mock = new undici.MockAgent()
  mock.disableNetConnect()
  t.after(() => mock.close())
  const tokens: string[] = []
  const nonces: unknown[] = []
  const answer = (statusCode: number, headers: Record<string, string>) =>
    mock
      .get(api.resource)
      .intercept({ path: '/', method: 'GET' })
      .reply(options => {
        const sent = toRecord(options.headers)
        tokens.push(sent.authorization ?? '')
        nonces.push(JSON.parse(Buffer.from((sent.dpop ?? '').split('.')[1] ?? '', 'base64url').toString()).nonce)
        return { statusCode, data: '', responseOptions: { headers } }
      })
  const dispatcher = mock.compose(agentInterceptor(agent))
  answer(200, { 'dpop-nonce': 'n1' })
  answer(401, { 'www-authenticate': 'DPoP error="revocation_unknown"' })
  answer(401, { 'www-authenticate': 'DPoP error="invalid_token"' })
  answer(200, {})
  for (const expected of [200, 401, 401, 200]) {
    const { statusCode, body } = await undici.request(`${api.resource}/`, { dispatcher })
    await body.dump()
    assert.equal(statusCode, expected)
  }
  assert.deepEqual(nonces, [undefined, 'n1', 'n1', 'n1'])
  assert.deepEqual(
    tokens.map(token => tokens.indexOf(token)),
    [0, 0, 0, 3],
  )
})

test('what cannot be minted ends the request with the error of the server', async t => {
  const { api, other } = await given()
  const host = await givenHost(app, [api, other])
  const stranger = agentOf(app, host, [api], { agent_id: 'stranger' })
  const dispatcher = new undici.Agent().compose(agentInterceptor(stranger))
  t.after(() => dispatcher.close())
  await assert.rejects(undici.request(api.resource, { dispatcher }), { code: 'unknown_agent' })
  assert.deepEqual(api.calls, [])
})

test('an API that asks for a nonce is asked once more with it', async t => {
  const { agent, api } = await given()
  let asked = 0
  const mock = new undici.MockAgent()
  mock.disableNetConnect()
  const answers = mock.get(api.resource)
  const challenge = { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n1' }
  answers
    .intercept({ path: '/', method: 'POST', body: 'same' })
    .reply(() => {
      asked += 1
      return { statusCode: 401, data: 'no', responseOptions: { headers: challenge } }
    })
    .times(1)
  answers.intercept({ path: '/', method: 'POST', body: 'same' }).reply(options => {
    const proof = String(new Headers(Object.entries(toRecord(options.headers))).get('dpop'))
    return { statusCode: 200, data: Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString() }
  })
  const dispatcher = mock.compose(agentInterceptor(agent))
  t.after(() => mock.close())
  const answer = await undici.request(`${api.resource}/`, { dispatcher, method: 'POST', body: 'same' })
  const proof = await answer.body.json()
  assert.equal(answer.statusCode, 200)
  assert.ok(typeof proof === 'object' && proof !== null && 'nonce' in proof)
  assert.deepEqual([asked, proof.nonce], [1, 'n1'])
})

function toRecord(headers: unknown): Record<string, string> {
  if (Array.isArray(headers)) {
    return Object.fromEntries(
      headers.flatMap((name, i) => (i % 2 === 0 ? [[String(name), String(headers[i + 1])]] : [])),
    )
  }
  return typeof headers === 'object' && headers !== null
    ? Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
    : {}
}
