import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownCharacters, visibleText } from '../../src/protocol/visible-text.ts'
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
  assert.deepEqual(shownCharacters('a\u200b\u200b\u202eb'), ['U+200B', 'U+202E'])
  assert.deepEqual(shownCharacters('⟦U+0041⟧'), ['U+27E6', 'U+27E7'])
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
  for (const text of texts) assert.ok(elapsed(() => visibleText(text)) < 1500)
})
