import { EMOJI, HIDDEN, LOOK_ALIKE, PLAIN, STACKED_MARKS, WORD } from './hidden-characters.ts'

/** An emoji, which stays whole, or a character that is shown by its number: hidden ones, odd spaces, our own brackets. */
const SHOWN = new RegExp(String.raw`${EMOJI}|(?<shown>${HIDDEN}|[[\p{Zs}\u2800]--\x20]|[\u27e6\u27e7])`, 'gv')
/** One letter with what composes with it: marks, and the vowels and finals that are letters themselves. */
const COMPOSED = /[^\p{M}\u1160-\u11ff\u{16d67}-\u{16d6a}]?[\p{M}\u1160-\u11ff\u{16d67}-\u{16d6a}]+|\P{ASCII}/gu
const LONGEST_COMPOSED = 32

/**
 * A text as whoever decides about it should see it: hidden, bidirectional, control, ignorable, private and unassigned
 * characters, spaces but the ASCII one, the minority letters of a word of two alphabets and what is not NFC stand as
 * `⟦U+200B⟧`; so do the brackets themselves, so that no two texts look alike. Tabs and line feeds stay.
 */
export function visibleText(text: string): string {
  if (PLAIN.test(text)) return text
  const shown = new Set([...hidden(text), ...foreignLetters(text), ...notComposed(text)])
  return shown.size === 0 ? text : withNumbers(text, shown)
}

/** The numbers that `visibleText` shows of a text, each once, in their order. */
export function shownCharacters(text: string): readonly string[] {
  return [...new Set([...visibleText(text).matchAll(/⟦(U\+[0-9A-F]{4,6})⟧/gu)].map(match => match[1] ?? ''))]
}

/** Where the characters stand that show nothing, or not what they are. */
function hidden(text: string): number[] {
  return [...text.matchAll(SHOWN)].filter(match => match.groups?.shown !== undefined).map(match => match.index)
}

/** The letters of a word that are not of the alphabet that most of its letters are of. */
function foreignLetters(text: string): number[] {
  return [...text.matchAll(WORD)].flatMap(({ 0: word, index }) => {
    const alphabets = LOOK_ALIKE.map(script => [...word.matchAll(script)].map(letter => index + letter.index))
    const main = alphabets.reduce((most, letters) => (letters.length > most.length ? letters : most), [])
    return alphabets.filter(letters => letters !== main).flat()
  })
}

/** Marks that composition would join to their letter or put into another order, and letters that it would replace. */
function notComposed(text: string): number[] {
  if (!STACKED_MARKS.test(text) && text === text.normalize('NFC')) return []
  return [...text.matchAll(COMPOSED)].flatMap(({ 0: composed, index }) => {
    const isStack = composed.length > LONGEST_COMPOSED
    if (!isStack && composed === composed.normalize('NFC')) return []
    const [first = '', ...rest] = composed
    const startsWithMark = /^[\p{M}\u1160-\u11ff\u{16d67}-\u{16d6a}]/u.test(first)
    const showsFirst = rest.length === 0 || startsWithMark || first !== first.normalize('NFC')
    return positions(composed, index).slice(showsFirst ? 0 : 1)
  })
}

function positions(text: string, start: number): number[] {
  let at = start
  return [...text].map(character => {
    const position = at
    at += character.length
    return position
  })
}

function withNumbers(text: string, shown: ReadonlySet<number>): string {
  let at = 0
  let visible = ''
  for (const character of text) {
    visible += shown.has(at) ? numberOf(character) : character
    at += character.length
  }
  return visible
}

function numberOf(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return `⟦U+${hex}⟧`
}
