import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protect } from '../../../src/verifier/adapters/node-http.ts'
import type { ResourceOptions } from '../../../src/verifier/adapters/resource-options.ts'
import { remoteJwks } from '../../../src/verifier/remote-jwks.ts'
import { NOW } from '../given-call.ts'
import { boundHeaders, given, listening } from './issued.ts'

const FAULT = new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND idp.example.com') })

/** An API in trouble, its clock, and what its developer was told. */
async function api(trouble: (now: () => Date) => Partial<ResourceOptions>) {
  const clock = { seconds: NOW }
  const now = () => new Date(clock.seconds * 1000)
  const told: unknown[][] = []
  const log = (...line: unknown[]) => void told.push(line)
  const guard = protect({ ...given().options, now, log, ...trouble(now) })
  const url = `${await listening(guard({}, (_request, response) => response.end('let pass')))}/v1/orders`
  const call = async () => {
    const response = await fetch(url, { headers: await boundHeaders({ proof: { iat: clock.seconds } }) })
    return { status: response.status, after: response.headers.get('retry-after'), body: await response.text() }
  }
  return { clock, told, call }
}

test('an API that cannot fetch the keys says so and why, once a minute, and when to ask again (RFC 9110 section 10.2.3)', async () => {
  const { clock, told, call } = await api(now => {
    const fetch = async () => {
      throw FAULT
    }
    return { jwks: remoteJwks('https://idp.example.com/.well-known/jwks.json', { now, fetch }) }
  })
  const first = await call()
  assert.deepEqual([first.status, first.after], [503, '30'])
  assert.ok(!first.body.includes('fetch failed') && !first.body.includes('jwks_unavailable'), first.body)
  clock.seconds += 20
  assert.equal((await call()).after, '10')
  clock.seconds += 39
  await call()
  const line = ['Requests are refused for an outage: jwks_unavailable.', FAULT]
  assert.deepEqual(told, [line])
  clock.seconds += 1
  await call()
  assert.deepEqual(told, [line, line])
})

test('each outage has its line: one of the replay cache does not wait for that of the keys', async () => {
  const broken = new Error('The connection was lost.')
  const { told, call } = await api(now => {
    let calls = 0
    const jwks = remoteJwks('https://idp.example.com/.well-known/jwks.json', {
      now,
      fetch: async () => {
        throw FAULT
      },
    })
    const claim = async () => {
      throw broken
    }
    const { options } = given()
    return { replayCache: { claim }, jwks: async kid => (calls++ === 0 ? await jwks(kid) : options.jwks()) }
  })
  for (let n = 0; n < 3; n += 1) assert.equal((await call()).status, 503)
  assert.deepEqual(told, [
    ['Requests are refused for an outage: jwks_unavailable.', FAULT],
    ['Requests are refused for an outage: replay_cache_unavailable.', broken],
  ])
})

test('what is a refusal of the caller is no line for the developer', async () => {
  const { told, call, clock } = await api(() => ({}))
  clock.seconds += 900
  assert.equal((await call()).status, 401)
  assert.deepEqual(told, [])
})
