import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CLIENT_ASSERTION_MAX_LIFETIME, CLOCK_SKEW, KEY_STATEMENT_ONCE_MAX_LIFETIME } from '../../src/protocol/time.ts'
import { CLOCKS_AGREE_SECONDS } from '../../src/server/store/clock.ts'
import {
  boundOf,
  missingOf,
  overdueOf,
  type Partition,
  type PartitionPlan,
  parsePartition,
  partitionName,
  partitionPlans,
  passedOf,
} from '../../src/server/store/partition-plan.ts'

const NOW = 1_795_348_800
const DAY = 86_400

function planOf(table: PartitionPlan['table'], auditDays?: number): PartitionPlan {
  const plan = partitionPlans(auditDays).find(known => known.table === table)
  assert.ok(plan)
  return plan
}

const rangesOf = (partitions: readonly Partition[]) => partitions.map(({ from, to }) => [from - NOW, to - NOW])

test('partitions lie ahead of the clock, gap after gap, and what is there already stays (issue 6 item 3)', () => {
  const plan: PartitionPlan = { table: 'replay', width: 600, ahead: 1_500 }
  assert.deepEqual(rangesOf(missingOf(plan, [], NOW + 60)), [
    [0, 600],
    [600, 1_200],
    [1_200, 1_800],
  ])
  // A slower node may still be in the range before.
  assert.deepEqual(rangesOf(missingOf(plan, [], NOW + 44))[0], [-600, 0])
  const wide: Partition = { table: 'replay', from: Number.NEGATIVE_INFINITY, to: NOW + 700 }
  const far: Partition = { table: 'replay', from: NOW + 1_300, to: NOW + 1_400 }
  const other: Partition = { table: 'token', from: NOW, to: NOW + 9_999 }
  assert.deepEqual(rangesOf(missingOf(plan, [far, wide, other], NOW)), [
    [700, 1_200],
    [1_200, 1_300],
    [1_400, 1_800],
  ])
  const endless: Partition = { table: 'replay', from: NOW, to: Number.POSITIVE_INFINITY }
  assert.deepEqual(missingOf(plan, [endless], NOW + 60), [])
})

test('a range that a running server has only just come to is not overdue', () => {
  const plan: PartitionPlan = { table: 'replay', width: 600, ahead: 1_200 }
  const made = missingOf(plan, [], NOW - 1)
  const at = (now: number) => [missingOf(plan, made, now), overdueOf(plan, made, now)].map(ranges => ranges.length)
  assert.deepEqual(
    [at(NOW), at(NOW + 1), at(NOW + 60), at(NOW + 61)],
    [
      [0, 0],
      [1, 0],
      [1, 0],
      [1, 1],
    ],
  )
})

test('claims go 120 s, records of tokens 48 h after their range, the audit trail never unless told (protocol.md section 9)', () => {
  const passed = (plan: PartitionPlan, now: number) =>
    passedOf(plan, [{ table: plan.table, from: NOW - 600, to: NOW }], now).length
  const kept = [
    [planOf('replay'), 120],
    [planOf('token'), 2 * DAY],
    [planOf('audit_event', 30), 30 * DAY],
  ] as const
  for (const [plan, seconds] of kept) {
    assert.deepEqual([passed(plan, NOW + seconds), passed(plan, NOW + seconds + 1)], [0, 1], plan.table)
  }
  assert.equal(passed(planOf('audit_event'), NOW + 1e9), 0)
  assert.equal(passed(planOf('replay'), NOW - 1e9), 0)
})

test('the audit trail is cut by days where it is kept for up to 92, else by 30 days', () => {
  assert.equal(planOf('audit_event', 92).width, DAY)
  assert.equal(planOf('audit_event', 93).width, 30 * DAY)
  assert.equal(planOf('audit_event').width, 30 * DAY)
})

test('the longest that a signed artefact is good for lies within the partitions ahead (protocol.md section 3)', () => {
  const longest = Math.max(CLIENT_ASSERTION_MAX_LIFETIME + 2 * CLOCK_SKEW, KEY_STATEMENT_ONCE_MAX_LIFETIME + CLOCK_SKEW)
  assert.ok(planOf('replay').ahead > longest + CLOCKS_AGREE_SECONDS + 600)
})

test('a partition is found by its name again, and no other name is one', () => {
  const ranges = [
    { from: NOW, to: NOW + 1 },
    { from: Number.NEGATIVE_INFINITY, to: NOW },
    { from: 0, to: Number.POSITIVE_INFINITY },
  ]
  for (const range of ranges) {
    const partition: Partition = { table: 'audit_event', ...range }
    assert.deepEqual(parsePartition(partitionName(partition)), partition)
  }
  for (const name of ['token', 'token_min', 'tokens_0_1', 'token_0_1_before', 'token_a_b', 'client_0_1']) {
    assert.equal(parsePartition(name), undefined, name)
  }
  assert.equal(boundOf('audit_event', NOW), '01a20320-a200-7000-8000-000000000000')
  assert.equal(boundOf('token', NOW), '2026-11-22T12:00:00.000Z')
})

test('[attack 130] a range that one node dropped is made again by none, whatever their clocks within 30 s each (reliability.md R14)', () => {
  const plan = planOf('replay')
  const skew = fc.integer({ min: -CLOCKS_AGREE_SECONDS, max: CLOCKS_AGREE_SECONDS })
  const turn = fc.record({ node: fc.nat(2), after: fc.integer({ min: 0, max: 900 }) })
  fc.assert(
    fc.property(fc.tuple(skew, skew, skew), fc.array(turn, { minLength: 1, maxLength: 60 }), (skews, turns) => {
      let now = NOW
      let there: readonly Partition[] = []
      const gone = new Set<string>()
      for (const { node, after } of turns) {
        now += after
        const clock = now + (skews[node] ?? 0)
        const made = missingOf(plan, there, clock)
        for (const partition of made) assert.ok(!gone.has(partitionName(partition)), partitionName(partition))
        there = [...there, ...made]
        // What this node may accept now, every node claims in a range that is there.
        for (const expires_at of [clock, clock + 320]) {
          assert.ok(there.some(({ from, to }) => from <= expires_at && expires_at < to))
        }
        const passed = passedOf(plan, there, clock)
        for (const partition of passed) gone.add(partitionName(partition))
        there = there.filter(partition => !passed.includes(partition))
      }
    }),
  )
})
