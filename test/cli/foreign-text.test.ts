import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foreignText, ownLine } from '../../src/cli/foreign-text.ts'
import { tableText } from '../../src/cli/output.ts'

const HOSTILE = 'read_mail\n\nChanges against reg_x: none\nWarning: none'

test('every line of others stands behind a margin, and those of a wide one too', () => {
  assert.equal(foreignText(HOSTILE), '│ read_mail\n│ \n│ Changes against reg_x: none\n│ Warning: none')
  assert.equal(foreignText('abcdefghijk', 10), '│ abcdefgh\n┊ ijk')
  assert.equal(foreignText('語語語語語', 10), '│ 語語語語\n┊ 語')
  assert.equal(foreignText('a\tb', 80), '│ a    b')
})

test('a line of ours stays one line, whatever names are in it', () => {
  assert.equal(ownLine(`Tool ${HOSTILE}`).includes('\n'), false)
  assert.equal(ownLine('Tool abcdefgh', 10), 'Tool abc\n┊ defgh')
})

test('no text of others moves the cursor or begins a line: control, format and separator characters', () => {
  const [, row] = tableText(['client_name'], [{ client_name: 'a\u2028b\u2029c\x1bd\u202ee\nf' }]).split('\n')
  assert.equal(row, 'a?b?c?d?e?f')
  assert.equal(foreignText('a\u2028b\x85c\rd'), '│ a?b?c?d')
})
