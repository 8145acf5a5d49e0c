import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { JWKS_COOLDOWN } from '../../src/protocol/time.ts'
import { PUBLISH_LEAD_DEFAULT, PUBLISH_LEAD_MIN } from '../../src/protocol/token-key.ts'
import {
  dueChanges,
  firstNext,
  isNothing,
  KEY_POLL_SECONDS,
  type KeyStanding,
  missingNext,
  publishedUntil,
  RETIRING_SECONDS,
  ROTATION_SECONDS,
  secondsAfter,
  signingKey,
} from '../../src/server/keys/rotation.ts'

const START = new Date('2026-11-22T00:00:00Z')
const at = (seconds: number) => secondsAfter(START, seconds)

function key(kid: string, state: KeyStanding['state'], active_at: number, retiring_at?: number): KeyStanding {
  const retiring = retiring_at === undefined ? null : at(retiring_at)
  return { kid, alg: 'ES256', state, active_at: at(active_at), retiring_at: retiring }
}

test('the shortest lead covers three polls of a node, and one beside the cool-down of a resource server (protocol.md section 9)', () => {
  assert.ok(PUBLISH_LEAD_MIN >= 3 * KEY_POLL_SECONDS)
  assert.ok(PUBLISH_LEAD_MIN >= JWKS_COOLDOWN + 2 * KEY_POLL_SECONDS)
  // 900 s is the longest token, 300 + 600 + 60 what readers keep a JWKS for (reliability.md section 4).
  assert.equal(RETIRING_SECONDS, 900 + 960)
  assert.deepEqual(publishedUntil(at(0)), at(1_860))
})

/** Keys, an instant, and the one that signs. */
const SIGNS = [
  ['the active one, while the next one waits', [key('a', 'active', 0), key('b', 'next', 40)], 39.999, 'a'],
  ['the next one from its instant on, its row not switched', [key('a', 'active', 0), key('b', 'next', 40)], 40, 'b'],
  ['the same after the switch', [key('a', 'retiring', 0, 43), key('b', 'active', 40)], 43, 'b'],
  ['the latest of two that are due', [key('a', 'active', 0), key('b', 'next', 40), key('c', 'next', 50)], 60, 'c'],
  ['the active one of an emergency, whose clock was ahead', [key('b', 'active', 5), key('c', 'next', 90)], 0, 'b'],
  ['a new active one over a next one of earlier', [key('b', 'next', 40), key('e', 'active', 41)], 42, 'e'],
  ['of two with one instant, one and the same', [key('c', 'next', 40), key('b', 'next', 40)], 40, 'c'],
  ['never one that retires or is retired', [key('a', 'retiring', 0, 1), key('b', 'retired', 0, 1)], 50, undefined],
  ['never one that was stolen', [key('a', 'compromised', 0)], 50, undefined],
] as const

for (const [title, keys, now, kid] of SIGNS) {
  test(`what signs: ${title} (reliability.md section 4)`, () => {
    assert.equal(signingKey(keys, 'ES256', at(now))?.kid, kid)
    assert.equal(signingKey([...keys].reverse(), 'ES256', at(now))?.kid, kid)
    assert.equal(signingKey(keys, 'EdDSA', at(now)), undefined)
  })
}

test('rows follow the instants: activated, superseded, retired when nobody can need it any more (section 4)', () => {
  const keys = [key('old', 'retiring', -90, -60), key('a', 'active', 0), key('b', 'next', 40), key('c', 'next', 50)]
  const nothing = { activate: [], supersede: [], retire: [] }
  assert.deepEqual(dueChanges(keys, at(39.999)), nothing)
  assert.ok(isNothing(nothing))
  const activate = [{ kid: 'b', alg: 'ES256', replaces: ['a'] }]
  assert.deepEqual(dueChanges(keys, at(40)), { activate, supersede: ['a'], retire: [] })
  // Both were due before anybody looked: the one between never becomes active, but may have signed.
  assert.deepEqual(dueChanges(keys, at(51)), {
    activate: [{ kid: 'c', alg: 'ES256', replaces: ['a', 'b'] }],
    supersede: ['a', 'b'],
    retire: [],
  })
  assert.deepEqual(dueChanges(keys.slice(0, 1), at(-60 + 1_859.999)).retire, [])
  assert.deepEqual(dueChanges(keys.slice(0, 1), at(-60 + 1_860)).retire, [{ kid: 'old', alg: 'ES256' }])
})

test('one always waits: 30 days after the one before, and published for a day at least (section 4)', () => {
  const young = missingNext([key('a', 'active', 0)], at(10))
  assert.deepEqual(young, [{ alg: 'ES256', active_at: at(ROTATION_SECONDS) }])
  const late = missingNext([key('a', 'active', -ROTATION_SECONDS)], at(10))
  assert.deepEqual(late, [{ alg: 'ES256', active_at: at(10 + PUBLISH_LEAD_DEFAULT) }])
  assert.deepEqual(missingNext([key('a', 'active', 0), key('b', 'next', 40)], at(10)), [])
  // The waiting one signs: another has to wait.
  assert.equal(missingNext([key('a', 'active', 0), key('b', 'next', 40)], at(40)).length, 1)
  assert.deepEqual(missingNext([], at(10)), [])
})

test('in an emergency the one that would have been next takes over', () => {
  assert.equal(firstNext([key('c', 'next', 90), key('b', 'next', 40), key('d', 'next', 95)], 'ES256')?.kid, 'b')
  assert.equal(firstNext([key('a', 'active', 0)], 'ES256'), undefined)
})

/** Time passes, somebody rotates, somebody brings the rows up to date. */
const steps = fc.array(
  fc.record({
    seconds: fc.integer({ min: 1, max: 700 }),
    lead: fc.option(fc.integer({ min: PUBLISH_LEAD_MIN, max: 400 }), { nil: undefined }),
    follows: fc.boolean(),
  }),
  { maxLength: 60 },
)

test('[attack 117] however keys overlap: one active row, no unpublished signature, no token outlives its key (section 4)', () => {
  fc.assert(
    fc.property(steps, history => {
      let now = 0
      let keys: readonly KeyStanding[] = [key('k0', 'active', 0)]
      let behind = keys
      const lastSigned = new Map<string, number>()
      for (const [n, { seconds, lead, follows }] of history.entries()) {
        // A second node reads its keys a moment before: what it misses is younger than its poll interval.
        for (let passed = 1; passed <= seconds; passed += 1) {
          now += 1
          if (now % KEY_POLL_SECONDS === 0) behind = keys
          const signing = signingKey(keys, 'ES256', at(now))
          const elsewhere = signingKey(behind, 'ES256', at(now))
          assert.ok(signing && elsewhere)
          for (const { kid } of [signing, elsewhere]) {
            for (const view of [keys, behind])
              assert.ok(view.some(seen => seen.kid === kid && seen.state !== 'retired'))
            lastSigned.set(kid, now)
          }
        }
        if (lead !== undefined) keys = [...keys, key(`k${n + 1}`, 'next', now + lead)]
        if (follows) keys = applied(keys, now, lastSigned)
      }
    }),
    { numRuns: 60 },
  )
})

/** The rows as the statements leave them. */
function applied(keys: readonly KeyStanding[], now: number, lastSigned: ReadonlyMap<string, number>) {
  const { activate, supersede, retire } = dueChanges(keys, at(now))
  const rows = keys.map((row): KeyStanding => {
    if (supersede.includes(row.kid)) return { ...row, state: 'retiring', retiring_at: at(now) }
    if (activate.some(({ kid }) => kid === row.kid)) return { ...row, state: 'active' }
    if (!retire.some(({ kid }) => kid === row.kid)) return row
    assert.ok(now - (lastSigned.get(row.kid) ?? 0) >= 1_860, 'a token of a retired key may live, or be fetched for')
    return { ...row, state: 'retired' }
  })
  assert.equal(rows.filter(row => row.state === 'active').length, 1)
  assert.ok(isNothing(dueChanges(rows, at(now))))
  return rows
}
