import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { challenge } from '../../src/verifier/challenge.ts'

test('a challenge names error, scope and metadata (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1)', () => {
  const error = new OAuthError('insufficient_scope', 'The token lacks a scope.')
  const resource_metadata = 'https://api.example.com/.well-known/oauth-protected-resource'
  assert.equal(
    challenge(error, { scheme: 'DPoP', scope: 'orders:write', resource_metadata }),
    `DPoP error="insufficient_scope", error_description="The token lacks a scope.", scope="orders:write", algs="ES256 EdDSA Ed25519 PS256", resource_metadata="${resource_metadata}"`,
  )
  assert.equal(
    challenge(new OAuthError('invalid_token', 'No.'), { scheme: 'Bearer' }),
    'Bearer error="invalid_token", error_description="No."',
  )
})

test('a request without a token learns of no error (RFC 6750 section 3.1)', () => {
  const missing = new OAuthError('invalid_token', 'An access token is required.', { reason: 'token_missing' })
  assert.equal(challenge(missing, { scheme: 'Bearer' }), 'Bearer')
})

test('no value can end its quotes (RFC 6750 section 3)', () => {
  const error = new OAuthError('invalid_token', 'a"b\\c\r\nd\u00e9')
  assert.equal(challenge(error, { scheme: 'Bearer' }), 'Bearer error="invalid_token", error_description="abcd"')
})

test('scope and metadata stay within their quotes too (RFC 6750 section 3)', () => {
  const error = new OAuthError('insufficient_scope', 'No.')
  const value = challenge(error, {
    scheme: 'Bearer',
    scope: 'a", x="b',
    resource_metadata: 'https://a.example/"\r\nX: y',
  })
  assert.match(value, /, scope="a, x=b", resource_metadata="https:\/\/a\.example\/X: y"$/)
})

test('scope is named where another token would help, and nowhere else (RFC 6750 section 3, protocol.md section 8)', () => {
  const named = (code: OAuthError['code']) => challenge(new OAuthError(code, 'No.'), { scheme: 'DPoP', scope: 'a b' })
  for (const code of ['insufficient_scope', 'invalid_token'] as const) assert.match(named(code), /, scope="a b"/)
  for (const code of ['intent_denied', 'revocation_unknown', 'invalid_dpop_proof', 'use_dpop_nonce'] as const) {
    assert.match(named(code), new RegExp(`^DPoP error="${code}", error_description="No."`))
    assert.doesNotMatch(named(code), /scope=/)
  }
})
