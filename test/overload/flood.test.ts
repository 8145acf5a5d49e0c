import assert from 'node:assert/strict'
import { test } from 'node:test'
import { overloadRun } from './run.ts'

/** Where fewer tokens a second are issued beside the flood, or a probe takes longer, the machine is what is slow. */
const TOKENS = 300
const PROBE_MILLISECONDS = 100

test('[attack 119] a good client is answered within a second beside a flood, slow sockets and slow queries (R12)', async () => {
  const seconds = 2
  const { good, flood, slow, health, capacity } = await overloadRun(seconds)
  const figures = JSON.stringify({ capacity, good, flood, slow, health })
  const patience = Math.max(1, TOKENS / (flood.tokens / seconds + 1), health.p99 / PROBE_MILLISECONDS)
  assert.ok(good.p99 < 1_000 * patience, figures)
  assert.ok(good.failed <= (2 + good.sent / 20) * patience, figures)
  assert.ok(flood.refused > 0, figures)
  assert.deepEqual(flood.others, [], figures)
  assert.deepEqual(Object.keys(slow.statuses), ['503'], figures)
  assert.ok(slow.longest < 3_000 * patience, figures)
})
