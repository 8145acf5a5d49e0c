import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issueNonce, isValidNonce } from '../../src/protocol/dpop-nonce.ts'

const KEY = Buffer.alloc(32, 1)
const NOW = 1_795_262_400 // begins a bucket

test('a nonce is accepted in its minute and the two after, on every node with the key (protocol.md section 3)', () => {
  const nonce = issueNonce(KEY, NOW)

  const accepted = [-1, 0, 59, 60, 179, 180].map(later => isValidNonce(Buffer.from(KEY), nonce, NOW + later))

  assert.deepEqual(accepted, [false, true, true, true, true, false])
})

test('a nonce rolls each minute and holds only NQCHAR (RFC 9449 section 8.1)', () => {
  assert.equal(issueNonce(KEY, NOW), issueNonce(KEY, NOW + 59))
  assert.notEqual(issueNonce(KEY, NOW), issueNonce(KEY, NOW + 60))
  assert.match(issueNonce(KEY, NOW), /^[A-Za-z0-9_-]{22}$/)
})

test('what another key made, or anything else, is no nonce (RFC 9449 section 8)', () => {
  const nonce = issueNonce(KEY, NOW)

  const forgeries = [
    issueNonce(Buffer.alloc(32, 2), NOW),
    '',
    `${nonce}A`,
    nonce.slice(1),
    nonce.toLowerCase(),
    'é'.repeat(11),
  ]

  for (const forgery of forgeries) assert.equal(isValidNonce(KEY, forgery, NOW), false)
})
