import assert from 'node:assert/strict'
import fc from 'fast-check'
import { z } from 'zod'
import { hasItsHash } from '../../src/cli/audit-trail.ts'
import { auditLeafHash } from '../../src/protocol/audit-leaf.ts'
import { auditRowSchema } from '../../src/protocol/audit-views.ts'
import { target } from '../target.ts'

const leaf = auditRowSchema.omit({ leaf_hash: true })
type Row = z.output<typeof leaf>
const input = z.object({ row: leaf, changed: leaf })

const text = fc.oneof(
  fc.constantFrom('', 'a', 'app', 'agent:app:a', '2026-01-01T00:00:00.000Z', '","reason":"', '\\', 'null', '0'),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
)
const optional = fc.oneof(fc.constant(null), text)
const anyJson = fc.jsonValue({ maxDepth: 2 })
const details = fc.dictionary(fc.constantFrom('a', 'b', 'caller', 'n', ''), anyJson, { maxKeys: 3 })
const members = {
  ...{ id: text, at: text, action: text, reason: optional, actor: text, client_id: optional, agent_id: optional },
  ...{ execution_id: optional, jti: optional, request_id: text, address: optional, details },
  outcome: fc.constantFrom('success' as const, 'refused' as const),
}
const row: fc.Arbitrary<Row> = fc.record(members)

/** One member of another row, several of them, or two members that changed their places. */
const KINDS = ['one', 'several', 'moved'] as const

function moved(row: Row, at: number): unknown {
  const entries = Object.entries(row)
  const [[from, left], [to, right]] = [
    entries[at] ?? ['id', row.id],
    entries[(at + 1) % entries.length] ?? ['at', row.at],
  ]
  const swapped = leaf.safeParse({ ...row, [from]: right, [to]: left })
  return swapped.success ? swapped.data : row
}

export const audit = target({
  name: 'f13',
  rule: 'a row of the trail that was changed in any member does not have its hash (reliability.md section 5)',
  input,
  arbitrary: fc
    .record({
      row,
      other: row,
      names: fc.subarray(Object.keys(members)),
      at: fc.nat(Object.keys(members).length - 1),
      kind: fc.constantFrom(...KINDS),
    })
    .map(({ row, other, names, at, kind }) => {
      const taken = new Set(kind === 'one' ? Object.keys(members).slice(at, at + 1) : names)
      const changes = Object.entries(other).filter(([name]) => taken.has(name))
      return { row, changed: kind === 'moved' ? moved(row, at) : { ...row, ...Object.fromEntries(changes) } }
    })
    .map(drawn => input.parse(JSON.parse(JSON.stringify(drawn)))),
  shortRuns: 250,
  holds({ row, changed }) {
    const leaf_hash = auditLeafHash(row).toString('hex')
    assert.ok(hasItsHash({ ...row, leaf_hash }))
    const reversed = Object.fromEntries(Object.entries(row).reverse())
    assert.ok(hasItsHash({ ...leaf.parse(reversed), leaf_hash }), 'the order of members counts')
    const isSame = same(row, changed)
    assert.equal(hasItsHash({ ...changed, leaf_hash }), isSame, isSame ? 'no change' : 'a change is not seen')
    const other = `${leaf_hash.startsWith('0') ? '1' : '0'}${leaf_hash.slice(1)}`
    for (const wrong of [other, leaf_hash.toUpperCase(), '', leaf_hash.slice(1)]) {
      if (wrong !== leaf_hash) assert.ok(!hasItsHash({ ...row, leaf_hash: wrong }))
    }
  },
})

/** Whether two values are one, member by member. */
function same(one: unknown, other: unknown): boolean {
  try {
    assert.deepStrictEqual(one, other)
    return true
  } catch {
    return false
  }
}
