import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protect } from '../../../src/verifier/adapters/node-http.ts'
import { boundHeaders, given, listening } from './issued.ts'

test('an API with nonces challenges with one in DPoP-Nonce, and takes a proof with it (RFC 9449 section 9)', async () => {
  const { options, told } = given()
  const guard = protect({ ...options, nonceKey: new Uint8Array(32).fill(7) })
  const url = `${await listening(guard({}, (_request, response) => response.end('let pass')))}/v1/orders`
  const first = await fetch(url, { headers: await boundHeaders() })
  const nonce = first.headers.get('dpop-nonce') ?? ''
  assert.equal(first.status, 401)
  assert.match(first.headers.get('www-authenticate') ?? '', /^DPoP error="use_dpop_nonce"/)
  assert.notEqual(nonce, '')
  const again = await fetch(url, { headers: await boundHeaders({ proof: { nonce } }) })
  assert.deepEqual([again.status, await again.text(), again.headers.get('dpop-nonce')], [200, 'let pass', null])
  const wrong = await fetch(url, { headers: await boundHeaders({ proof: { nonce: `${nonce}x` } }) })
  assert.deepEqual([wrong.status, wrong.headers.get('dpop-nonce')], [401, nonce])
  assert.deepEqual(
    told.refusals.map(({ reason }) => reason),
    ['api_nonce', 'api_nonce'],
  )
})

test('a guard without a rule or without a handler stops the start', () => {
  const guard = protect(given().options)
  const noRule = /^TypeError: A guard needs a route rule/
  assert.throws(() => Reflect.apply(guard, undefined, []), noRule)
  assert.throws(() => Reflect.apply(guard, undefined, [() => 'never']), noRule)
  assert.throws(() => Reflect.apply(guard, undefined, [null, () => 'never']), noRule)
  assert.throws(() => Reflect.apply(guard, undefined, [{}]), /^TypeError: .* a handler/)
})
