import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { remoteJwks } from '../../src/verifier/remote-jwks.ts'
import { refusal } from '../protocol/forge.ts'
import { generateKey } from '../support/dpop.ts'
import { CLAIMS, HEADER, NOW, published, request, signer, verifier } from './given-call.ts'

const successor = await generateKey()
const newer = { ...successor.jwk, kid: successor.jkt, alg: 'ES256', use: 'sig' }

type Behaviour = 'answers' | 'fails' | 'hangs'

/** An issuer that answers, fails or hangs, and an API that reads its keys; both by one clock. */
function given() {
  const state: { seconds: number; does: Behaviour; keys: object[]; fetches: number } = {
    ...{ seconds: NOW, does: 'answers', keys: [published], fetches: 0 },
  }
  const now = () => new Date(state.seconds * 1000)
  const jwks = remoteJwks('https://idp.example.com/.well-known/jwks.json', {
    now,
    fetch: async () => {
      state.fetches += 1
      if (state.does === 'fails') throw new TypeError('fetch failed')
      if (state.does === 'hangs') await new Promise(() => {})
      return Response.json({ keys: state.keys })
    },
  })
  const api = verifier({ jwks, now })
  async function signed(key = signer) {
    const claims = { ...CLAIMS, iat: state.seconds, exp: state.seconds + 300 }
    const header = { ...HEADER, kid: key.jkt }
    return await request({ key, header, claims, proof: { iat: state.seconds } })
  }
  const call = async (key = signer) => await api.verify(await signed(key))
  return { state, call, signed, api }
}

/** Turns of the event loop: more than anything needs that waits for no timer and no network. */
async function turns(until: () => boolean = () => false): Promise<void> {
  for (let turn = 0; turn < 500 && !until(); turn += 1) await setImmediate()
}

test('through an hour without the key set calls go on, and at reconnect a key that left is gone (section 8)', async () => {
  const { state, call } = given()
  await call()
  state.does = 'fails'
  for (let minute = 0; minute < 60; minute += 1) {
    state.seconds += 60
    await call()
  }
  assert.ok(state.fetches > 30 && state.fetches <= 62, `${state.fetches} fetches`)
  state.does = 'answers'
  state.keys = [newer]
  state.seconds += 60
  await assert.rejects(call(), refusal('invalid_token', 'token_kid'))
  await call(successor)
})

test('a key set that nobody asked for in an hour is not judged by before it was asked for again', async () => {
  const { state, call } = given()
  await call()
  state.keys = [newer]
  state.seconds += 3600
  await assert.rejects(call(), refusal('invalid_token', 'token_kid'))
})

test('a fetch that hangs holds up no call whose key is known, and ends (protocol.md section 8)', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { state, call, signed, api } = given()
  await call()
  state.does = 'hangs'
  state.seconds += 3600
  const sent = await signed()
  const first = api.verify(sent)
  await turns(() => state.fetches === 2)
  assert.equal(state.fetches, 2)
  t.mock.timers.tick(250)
  await first
  await Promise.all(Array.from({ length: 20 }, () => call()))
  assert.equal(state.fetches, 2)
  // Whoever needs it waits until it is given up; the next one may be asked for then.
  const unknown = await signed(successor)
  let isJudged = false
  const waiting = assert.rejects(api.verify(unknown), refusal('invalid_token', 'token_kid')).finally(() => {
    isJudged = true
  })
  await turns(() => isJudged)
  t.mock.timers.tick(2249)
  await turns(() => isJudged)
  assert.equal(isJudged, false)
  t.mock.timers.tick(1)
  await waiting
  state.does = 'answers'
  state.keys = [newer]
  state.seconds += 30
  await call(successor)
  assert.equal(state.fetches, 3)
})

test('an API that names no keys reads those that its issuer publishes (protocol.md section 2)', async () => {
  const paths: (string | undefined)[] = []
  const server = createServer((message, response) => {
    paths.push(message.url)
    response.end(JSON.stringify({ keys: [published] }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const issuer = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  await verifier({ issuer, jwks: undefined }).verify(await request({ claims: { ...CLAIMS, iss: issuer } }))
  server.closeAllConnections()
  server.close()
  assert.deepEqual(paths, ['/.well-known/jwks.json'])
})
