import assert from 'node:assert/strict'
import fc from 'fast-check'
import { z } from 'zod'
import { Problem } from '../../src/protocol/problem.ts'
import { firstTimeIdAt, timeOfId } from '../../src/protocol/time-id.ts'
import { auditQuerySchema } from '../../src/server/http/admin/audit.ts'
import { pageQuery } from '../../src/server/http/page-query.ts'
import { decodeCursor, encodeCursor } from '../../src/server/registry/cursor.ts'
import { timePlace, timePosition } from '../../src/server/registry/time-cursor.ts'
import { edited } from '../edited.ts'
import { target } from '../target.ts'

const KEY = Buffer.alloc(32, 7)
const OTHER_KEY = Buffer.alloc(32, 8)
const NAMES = [
  'limit',
  'cursor',
  'client_id',
  'agent_id',
  'since',
  'until',
  'after',
  'before',
  'jti',
  'outcome',
  'reason',
]
const VALUES = [
  '',
  '0',
  '1',
  '200',
  '201',
  '1000',
  '1001',
  '01',
  '1e2',
  ' 1',
  '+1',
  'app',
  '__proto__',
  '..',
  'success',
]
const TIMES = ['2026-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999+00:00', '2026-02-30T00:00:00Z']
const MORE_TIMES = [
  '2026-01-01T00:00:00',
  '2026-01-01',
  '9999-12-31T23:59:59-23:59',
  '2026-01-01T24:00:00Z',
  '1969-01-01T00:00:00Z',
]
const IDS = ['00000000-0000-0000-0000-000000000000', '01890000-0000-7000-8000-000000000000', 'x']

const input = z.object({
  list: z.string(),
  position: z.string(),
  /** What comes back as the cursor: of another list, another key, changed, or anything. */
  other: z.string(),
  edits: z.string(),
  query: z.record(z.string(), z.string()),
})
const value = fc.oneof(
  fc.constantFrom(...VALUES, ...TIMES, ...MORE_TIMES, ...IDS),
  edited(fc.constantFrom(...TIMES, ...IDS, '200'), ['0', 'Z', '-', '+', '.', ' ', '\u0660'], 2),
  fc.string({ maxLength: 6 }),
)

export const cursorsFilters = target({
  name: 'f10',
  rule: 'only a place that we named comes back, and a filter is read whole or refused (attacks.md 109)',
  input,
  arbitrary: fc
    .record({
      list: fc.constantFrom('agents', 'clients', 'a\0b'),
      position: fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 6 })),
      other: fc.constantFrom('agents', 'clients', 'a\0b', 'a', ''),
      query: fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 4 }),
    })
    .chain(drawn =>
      fc.record({
        ...Object.fromEntries(Object.entries(drawn).map(([name, one]) => [name, fc.constant(one)])),
        edits: edited(fc.constant(encodeCursor(KEY, drawn.list, drawn.position)), ['A', '=', '.', '-', '_'], 2),
      }),
    )
    .map(drawn => input.parse(drawn)),
  shortRuns: 300,
  holds({ list, position, other, edits, query }) {
    const cursor = encodeCursor(KEY, list, position)
    assert.equal(decodeCursor(KEY, list, cursor), position)
    assert.ok([undefined, position].includes(place(KEY, list, edits)), 'a place that nobody named')
    assert.equal(place(OTHER_KEY, list, cursor), undefined)
    if (other !== list) assert.equal(place(KEY, other, cursor), undefined)
    const at = new Date(Buffer.from(position).length * 1_000_000_007)
    const id = position.replaceAll(' ', '')
    assert.deepEqual(timePlace(timePosition(at, id)), { at, id })
    judgePage(query)
    judgeFilter(query)
  },
})

function place(key: Buffer, list: string, cursor: string): string | undefined {
  try {
    return decodeCursor(key, list, cursor)
  } catch (error) {
    if (error instanceof Problem && error.reason === 'forged_cursor') return undefined
    throw error
  }
}

function judgePage(query: Readonly<Record<string, string>>): void {
  const read = pageQuery.safeParse(query)
  const known = Object.keys(query).every(name => name === 'limit' || name === 'cursor')
  const limits = Array.from({ length: 200 }, (_, at) => String(at + 1))
  const isLimit = query.limit === undefined || limits.includes(query.limit)
  assert.equal(read.success, known && isLimit && (query.cursor ?? '').length <= 1024)
}

/** A filter that is taken is of times that an id can say, in their order. */
function judgeFilter(query: Readonly<Record<string, string>>): void {
  const read = auditQuerySchema.safeParse(query)
  if (!read.success) return
  const { since, until, limit, after, before, client_id, agent_id } = read.data
  assert.ok(Number.isInteger(limit) && limit >= 1 && limit <= 1000)
  assert.ok((after === undefined || before === undefined) && (agent_id === undefined || client_id !== undefined))
  for (const [name, at] of Object.entries({ since, until })) {
    if (!at) continue
    const id = firstTimeIdAt(at)
    assert.equal(timeOfId(id)?.getTime(), Math.max(0, at.getTime()), `${name} ${query[name]} is ${id}`)
  }
  if (since && until && since < until) assert.ok(firstTimeIdAt(since) <= firstTimeIdAt(until))
}
