import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkIssuerUrl } from '../../src/protocol/issuer-url.ts'
import { refusal } from './forge.ts'

test('an issuer is https, or http on this machine: over any other http its keys are those of whoever is on the way', () => {
  const good = [
    'https://idp.example.com',
    'http://localhost:3000',
    'http://127.0.0.1',
    'http://127.9.9.9:1',
    'http://[::1]',
  ]
  for (const issuer of good) checkIssuerUrl(issuer)
  const bad = [
    'http://idp.example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://127.0.0.1@idp.example.com',
    'http://10.0.0.1',
    'http://0.0.0.0',
    'ftp://127.0.0.1',
    'idp.example.com',
    '',
  ]
  for (const issuer of bad) {
    assert.throws(() => checkIssuerUrl(issuer), refusal('invalid_request', 'issuer_url'), issuer)
  }
})
