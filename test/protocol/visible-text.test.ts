import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownCharacters, visibleName, visibleText } from '../../src/protocol/visible-text.ts'
import { hasHiddenText } from '../../src/server/registry/hidden-text.ts'
import { elapsed } from './forge.ts'

const SHOWN: Readonly<Record<string, readonly [string, string]>> = {
  'a zero-width space': ['a\u200bb', 'a⟦U+200B⟧b'],
  'a right-to-left override': ['pay \u202e001', 'pay ⟦U+202E⟧001'],
  'tag characters': ['a\u{e0041}', 'a⟦U+E0041⟧'],
  'a control character': ['a\x1bb\x7f', 'a⟦U+001B⟧b⟦U+007F⟧'],
  'a carriage return, before a line feed too': ['a\rb\r\nc', 'a⟦U+000D⟧b⟦U+000D⟧\nc'],
  'a private character': ['\ue000', '⟦U+E000⟧'],
  'an unassigned character': ['\u{e0ffe}', '⟦U+E0FFE⟧'],
  'spaces that are not the space': ['a\u00a0b\u3000\u2028', 'a⟦U+00A0⟧b⟦U+3000⟧⟦U+2028⟧'],
  'blanks that count as symbols or letters': ['\u2800\u3164', '⟦U+2800⟧⟦U+3164⟧'],
  'the letter of another alphabet': ['p\u0430ypal', 'p⟦U+0430⟧ypal'],
  'the minority, whichever it is': ['\u0440\u0443\u0441o', '\u0440\u0443\u0441⟦U+006F⟧'],
  'a mark that composes': ['cafe\u0301', 'cafe⟦U+0301⟧'],
  'marks in another order': ['a\u0315\u0300', 'a⟦U+0315⟧⟦U+0300⟧'],
  'a letter that is another one': ['\u212b', '⟦U+212B⟧'],
  'vowels that compose': ['\u1100\u1161', '\u1100⟦U+1161⟧'],
  'our own brackets': ['⟦U+200B⟧', '⟦U+27E6⟧U+200B⟦U+27E7⟧'],
}

for (const [name, [text, visible]] of Object.entries(SHOWN)) {
  test(`[attack 85] ${name} is shown by number (protocol.md section 4)`, () => {
    assert.equal(visibleText(text), visible)
  })
}

test('plain text of any one language, tabs, line feeds and emoji stay as they are', () => {
  for (const text of ['a\n\tb', 'Grüße', 'привет мир', '日本語、です。', 'שלום', '👨‍👩‍👧 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'naïve café']) {
    assert.equal(visibleText(text), text)
  }
})

test('no two texts look alike, and what counts as hidden is always shown: over all of Unicode in small steps', () => {
  for (let code = 0; code < 0x110000; code += code < 0x3000 ? 1 : 37) {
    if (code >= 0xd800 && code < 0xe000) continue
    const character = String.fromCodePoint(code)
    for (const text of [character, character.normalize('NFD'), `a${character}`, `${character}\u0301`]) {
      const visible = visibleText(text)
      const back = visible.replace(/⟦U\+([0-9A-F]+)⟧/gu, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
      assert.equal(back, text)
      if (hasHiddenText(text)) assert.notEqual(visible, text, code.toString(16))
    }
  }
})

test('the characters that are shown are named once each', () => {
  assert.deepEqual(shownCharacters('a\u200b\u200b\u202eb', 8), ['U+200B', 'U+202E'])
  assert.deepEqual(shownCharacters('⟦U+0041⟧', 8), ['U+27E6', 'U+27E7'])
})

test('of the characters that are shown as many are named as are asked for', () => {
  assert.deepEqual(shownCharacters(`\u200b${'\u202e'.repeat(1_000_000)}\u2066`, 1), ['U+200B'])
})

test('a name is one line: tabs and line feeds are shown too (attacks.md 85)', () => {
  const name = 'read_mail\n\nChanges against reg_x: none\nWarning:\tnone'
  const visible = 'read_mail⟦U+000A⟧⟦U+000A⟧Changes against reg_x: none⟦U+000A⟧Warning:⟦U+0009⟧none'
  assert.equal(visibleName(name), visible)
})

test('[attack 112] beyond 2000 numbers, or where there is no room, a text ends with what is left out', () => {
  assert.equal(visibleText('\u200b'.repeat(2_000)), '⟦U+200B⟧'.repeat(2_000))
  assert.equal(visibleText(`${'\u200b'.repeat(2_001)}ab`), `${'⟦U+200B⟧'.repeat(2_000)}⟦… 3 more characters⟧`)
  assert.equal(visibleText('abcdef', 6), 'abcdef')
  assert.equal(visibleText('abcdef', 4), 'abcd⟦… 2 more characters⟧')
  assert.equal(visibleText('ab\u{1f600}\u{1f600}', 3), 'ab⟦… 2 more characters⟧')
  assert.equal(visibleText('ab\u200bcd', 2), 'ab⟦… 3 more characters⟧')
  assert.equal(visibleText('ab\u200bcd', 3), 'ab⟦U+200B⟧⟦… 2 more characters⟧')
  // Nobody writes that end: our brackets are shown by number.
  assert.equal(visibleText('⟦… 2 more characters⟧').includes('⟦…'), false)
})

test('31 marks on one letter are hidden text, and are shown, of any plane', () => {
  for (const mark of ['\u0301', '\u{1e000}', '\u0903']) {
    assert.equal(visibleText(`a${mark.repeat(31)}`).includes(mark), false, mark)
    assert.equal(hasHiddenText(`a${mark.repeat(31)}`), true, mark)
  }
})

test('what composes is seen wherever it stands in a long text', () => {
  for (let length = 4_080; length < 4_100; length += 1) {
    for (const [end, visible] of [
      ['e\u0301', 'e⟦U+0301⟧'],
      ['\u{1d15e}', '⟦U+1D15E⟧'],
      ['\u1100\u1161', '\u1100⟦U+1161⟧'],
    ]) {
      assert.equal(visibleText(`${'a'.repeat(length)}${end} b`), `${'a'.repeat(length)}${visible} b`)
    }
  }
})

test('[attack 112] hostile text is made visible in a short time', () => {
  const texts = [
    '\u200d'.repeat(60_000),
    '\u{1f468}\u200d'.repeat(30_000),
    'a\u0430'.repeat(60_000),
    '\u0315\u0300'.repeat(60_000),
    '\u1161'.repeat(60_000),
    'e\u0301'.repeat(60_000),
  ]
  for (const text of texts) assert.ok(elapsed(() => visibleText(text)) < 300)
})
