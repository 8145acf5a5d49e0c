import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { claimReplays, type ReplayClaim } from '../../src/server/store/replay.ts'
import { startTestApp } from '../support/app.ts'

const { ctx } = await startTestApp()

function claim(over: Partial<ReplayClaim> = {}): ReplayClaim {
  const expires_at = new Date(ctx.now().getTime() + 60_000)
  return { kind: 'dpop', owner: 'jkt', jti: randomUUID(), expires_at, ...over }
}

test('of two claims of one kind the one that was taken is told, whichever it is (RFC 9449 section 11.1)', async () => {
  const taken = claim()
  assert.deepEqual(await claimReplays(ctx, [taken]), [])
  assert.deepEqual(await claimReplays(ctx, [taken, claim()]), ['dpop'])
  assert.deepEqual(await claimReplays(ctx, [claim({ owner: 'a' }), taken]), ['dpop'])
})

test('a single use is kind, owner and jti together: the same jti elsewhere is free (RFC 7523 section 3)', async () => {
  const { jti } = claim()
  assert.deepEqual(await claimReplays(ctx, [claim({ jti }), claim({ jti, owner: 'other' })]), [])
  assert.deepEqual(await claimReplays(ctx, [claim({ jti, kind: 'client_assertion' })]), [])
  assert.deepEqual(await claimReplays(ctx, [claim({ jti }), claim({ jti, owner: 'third' })]), ['dpop'])
})
