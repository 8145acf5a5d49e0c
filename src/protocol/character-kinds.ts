import { EMOJI, HIDDEN, LOOK_ALIKE } from './hidden-characters.ts'

/** What there is to know of one character: bits, and above them which of `LOOK_ALIKE` its alphabet is, from 1. */
export const KIND = {
  judged: 1,
  hidden: 2,
  oddSpaceOrBracket: 4,
  word: 8,
  composes: 16,
  notNfc: 32,
  emoji: 64,
  tabOrLineFeed: 128,
} as const
const ALPHABET_SHIFT = 8

const IS_HIDDEN = new RegExp(HIDDEN, 'v')
const IS_ODD = /[[\p{Zs}\u2800]--\x20]|[\u27e6\u27e7]/v
const IS_WORD = /[\p{L}\p{M}\p{N}_]/u
/** Marks, and the vowels and finals that are letters themselves. */
const COMPOSES = /[\p{M}\u1160-\u11ff\u{16d67}-\u{16d6a}]/u
const EMOJI_AT = new RegExp(EMOJI, 'vy')

/** Judged once each: the answer never changes, and a megabyte of text asks a million times. */
const kinds = new Uint16Array(0x110000)

/** The `KIND` bits of a code point. */
export function kindOf(code: number): number {
  const kind = kinds[code] ?? 0
  return kind === 0 ? judge(code) : kind
}

/** Which of `LOOK_ALIKE` a letter is of, from 1; 0 for none. */
export function alphabetOf(code: number): number {
  return kindOf(code) >> ALPHABET_SHIFT
}

/** The end of the emoji sequence that begins here; where none begins, `at`. */
export function emojiEnd(text: string, at: number): number {
  EMOJI_AT.lastIndex = at
  return EMOJI_AT.test(text) ? EMOJI_AT.lastIndex : at
}

function judge(code: number): number {
  const character = String.fromCodePoint(code)
  const alphabet = 1 + LOOK_ALIKE.findIndex(script => script.test(character))
  const kind =
    KIND.judged |
    (IS_HIDDEN.test(character) ? KIND.hidden : 0) |
    (IS_ODD.test(character) ? KIND.oddSpaceOrBracket : 0) |
    (IS_WORD.test(character) ? KIND.word : 0) |
    (COMPOSES.test(character) ? KIND.composes : 0) |
    (character === character.normalize('NFC') ? 0 : KIND.notNfc) |
    (/\p{Emoji}/u.test(character) ? KIND.emoji : 0) |
    (/[\t\n]/.test(character) ? KIND.tabOrLineFeed : 0) |
    (alphabet << ALPHABET_SHIFT)
  kinds[code] = kind
  return kind
}
