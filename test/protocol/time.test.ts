import assert from 'node:assert/strict'
import { test } from 'node:test'
import { epochSeconds } from '../../src/protocol/time.ts'

test('epoch seconds are whole and never ahead of the clock (RFC 7519 section 2)', () => {
  assert.equal(epochSeconds(new Date(1_800_000_000_999)), 1_800_000_000)
  assert.equal(epochSeconds(new Date(0)), 0)
})
