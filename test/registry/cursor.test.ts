import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { decodeCursor, encodeCursor, pageOf } from '../../src/server/registry/cursor.ts'
import { refusedNow } from './given.ts'

const KEY = randomBytes(32)

test('a cursor brings back its position (attacks.md 109)', () => {
  assert.equal(decodeCursor(KEY, 'clients', encodeCursor(KEY, 'clients', "x' or 1=1")), "x' or 1=1")
})

test('[attack 109] a forged, changed, foreign or empty cursor is refused', async () => {
  const good = encodeCursor(KEY, 'clients', 'app')
  const bytes = Buffer.from(good, 'base64url')
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  const forged = [
    bytes.toString('base64url'),
    Buffer.from('app').toString('base64url'),
    encodeCursor(randomBytes(32), 'clients', 'app'),
    encodeCursor(KEY, 'resources', 'app'),
    // The same bytes under a name that is cut elsewhere.
    Buffer.concat([
      Buffer.from(encodeCursor(KEY, 'client', 'sapp'), 'base64url').subarray(0, 16),
      Buffer.from('app'),
    ]).toString('base64url'),
    '',
    "'; drop table client; --",
  ]
  for (const cursor of forged) {
    assert.deepEqual(await refusedNow(() => decodeCursor(KEY, 'clients', cursor)), {
      code: 'invalid_request',
      reason: 'forged_cursor',
    })
  }
})

test('a page names the next one only where there is one', () => {
  const whole = pageOf(KEY, 'clients', ['a', 'b'], 2, row => row)
  assert.deepEqual(whole, { items: ['a', 'b'], next_cursor: null })
  const cut = pageOf(KEY, 'clients', ['a', 'b', 'c'], 2, row => row)
  assert.deepEqual(cut, { items: ['a', 'b'], next_cursor: encodeCursor(KEY, 'clients', 'b') })
})
