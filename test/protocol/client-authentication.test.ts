import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportJWK } from 'jose'
import { verifyClientAssertion } from '../../src/protocol/client-assertion.ts'
import { type ClientCredential, clientAuthentication } from '../../src/protocol/client-authentication.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { withKeyObject } from '../../src/protocol/proof-keys.ts'
import { generateKey } from '../support/dpop.ts'
import { refusal } from './forge.ts'

const NOW = 1_800_000_000
const issuer = 'https://idp.example.com'
const at = { issuer, iat: NOW, jti: 'once' }

test('a secret goes where the client is registered to send it; Basic has both halves as values of a form (RFC 6749 section 2.3.1)', async () => {
  const secret = { client_id: 'a b:c', client_secret: "ä+%&!'()~" }
  const { body, headers } = await clientAuthentication(secret, at)
  assert.deepEqual(body, {})
  const [scheme, value = ''] = headers.authorization?.split(' ') ?? []
  assert.equal(scheme, 'Basic')
  assert.equal(Buffer.from(value, 'base64').toString(), 'a+b%3Ac:%C3%A4%2B%25%26%21%27%28%29%7E')
  const basic = { ...secret, token_endpoint_auth_method: 'client_secret_basic' } as const
  assert.deepEqual(await clientAuthentication(basic, at), { body, headers })
  const post = { ...secret, token_endpoint_auth_method: 'client_secret_post' } as const
  assert.deepEqual(await clientAuthentication(post, at), { body: secret, headers: {} })
})

test('a key signs one assertion for each request, be it a JWK or a key that signs (RFC 7523 section 2.2)', async () => {
  const { alg, privateKey, jwk, jkt } = await generateKey()
  const { x = '', y = '' } = jwk
  const holder = { alg, privateKey, publicJwk: { kty: 'EC', crv: 'P-256', x, y } } as const
  const credentials: ClientCredential[] = [
    { client_id: 'app', key: holder },
    { client_id: 'app', key: await exportJWK(privateKey) },
  ]
  for (const credential of credentials) {
    const { body, headers } = await clientAuthentication(credential, at)
    assert.deepEqual(headers, {})
    assert.deepEqual(Object.keys(body), ['client_assertion_type', 'client_assertion'])
    assert.equal(body.client_assertion_type, 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    const lookup = async (client_id: string) => ({
      client_id,
      keys: [{ ...withKeyObject(await importPublicJwk(jwk)), kid: jkt }],
    })
    const { client_id, jti } = await verifyClientAssertion(body.client_assertion ?? '', { issuer, now: NOW, lookup })
    assert.deepEqual([client_id, jti], ['app', 'once'])
  }
  const blind = clientAuthentication({ client_id: 'app', key: jwk }, at)
  await assert.rejects(blind, refusal('invalid_request', 'no_private_key'))
})
