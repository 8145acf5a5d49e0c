import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anyHiddenText, hasHiddenText } from '../../src/server/registry/hidden-text.ts'

test('[attack 85] hidden, bidirectional, non-NFC and mixed-script text is seen', () => {
  const hidden = {
    'zero-width space': 'ignore\u200ball',
    'word joiner': 'a\u2060b',
    'byte order mark inside': 'a\ufeffb',
    'right-to-left override': 'pay \u202e001',
    isolate: 'a\u2066b',
    'tag characters': `hello${String.fromCodePoint(0xe0041, 0xe0042)}`,
    'variation selectors as data': `a${String.fromCodePoint(0xe0101, 0xe0102)}`,
    'file separator that Python strips': 'a\x1cb',
    escape: 'a\x1b[8mb',
    'lone carriage return': 'safe\rdangerous',
    'line separator': 'a\u2028b',
    'not NFC': 'cafe\u0301',
    'Cyrillic a in a Latin word': 'p\u0430ypal',
    'private use': 'a\ue000b',
  }
  for (const [name, text] of Object.entries(hidden)) assert.equal(hasHiddenText(text), true, name)
})

test('plain text of any one language, line ends and emoji are not hidden', () => {
  const plain = [
    'You sort mail.\n\tBe brief.',
    'line one\r\nline two',
    'caf\u00e9 na\u00efve',
    '\u041f\u0440\u0438\u0432\u0435\u0442 world',
    '\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8',
    'done \u2705 careful \u26a0\ufe0f family \u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  ]
  for (const text of plain) assert.equal(hasHiddenText(text), false, JSON.stringify(text))
})

test('[attack 85] hidden text is found at any depth, in values and in member names', () => {
  assert.equal(anyHiddenText({ a: [{ b: 'x\u200by' }] }), true)
  assert.equal(anyHiddenText({ a: { 'x\u200by': 1 } }), true)
  assert.equal(anyHiddenText({ a: [{ b: 'xy' }, 1, null, true] }), false)
})

test('[attack 112] a megabyte of hostile text is judged in a short time', () => {
  const started = performance.now()
  for (const text of ['\u200d'.repeat(65_536), '\u{1f468}\u200d'.repeat(20_000), 'a\u0430'.repeat(30_000)])
    hasHiddenText(text)
  // Unicode normalisation sorts the marks of one letter, which takes quadratic time.
  assert.equal(hasHiddenText('\u0315\u0300'.repeat(60_000)), true)
  assert(performance.now() - started < 1000)
})
