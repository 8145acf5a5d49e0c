import { KIND } from './character-kinds.ts'
import { PLAIN } from './hidden-characters.ts'
import { markForeignLetters, markNotComposed, nextOfKind } from './hidden-positions.ts'

/** Numbers shown of one text. Whoever hides more than this is not read any better by showing more. */
const MOST_NUMBERS = 2_000
const SHOWN = KIND.hidden | KIND.oddSpaceOrBracket
const SHOWN_OF_NAME = SHOWN | KIND.tabOrLineFeed

/**
 * A text as whoever decides about it should see it: hidden, bidirectional, control, ignorable, private and unassigned
 * characters, spaces but the ASCII one, the minority letters of a word of two alphabets and what is not NFC stand as
 * `⟦U+200B⟧`; so do the brackets themselves. Tabs and line feeds stay. No two texts look alike, but beyond 2000 numbers
 * or `room` UTF-16 units, where the text ends with `⟦… 12 more characters⟧`: what is left out is counted, not told.
 */
export function visibleText(text: string, room = Number.POSITIVE_INFINITY): string {
  if (PLAIN.test(text)) return text.length <= room ? text : cut(text, '', 0, room)
  return withNumbers(text, marksOf(text, SHOWN), room)
}

/** `visibleText` of a name, which is one line: tabs and line feeds are shown by number too. */
export function visibleName(name: string, room = Number.POSITIVE_INFINITY): string {
  return withNumbers(name, marksOf(name, SHOWN_OF_NAME), room)
}

/** The first `most` numbers that are shown of a text, or of a name, each once, in their order. */
export function shownCharacters(text: string, most: number, isName = false): readonly string[] {
  const marks = marksOf(text, isName ? SHOWN_OF_NAME : SHOWN)
  const codes = new Set<number>()
  for (let at = marks.indexOf(1); at >= 0 && codes.size < most; at = marks.indexOf(1, at + 1)) {
    codes.add(text.codePointAt(at) ?? 0)
  }
  return [...codes].map(hexOf)
}

/** A 1 where a character starts that is shown by number: at least where the first ones are, as many as can be shown. */
function marksOf(text: string, kinds: number): Uint8Array {
  const most = MOST_NUMBERS + 1
  const marks = new Uint8Array(text.length)
  let left = most
  for (let at = nextOfKind(text, 0, kinds); at >= 0 && left > 0; at = nextOfKind(text, at + 1, kinds)) {
    marks[at] = 1
    left -= 1
  }
  markForeignLetters(text, marks, most)
  markNotComposed(text, marks, most)
  return marks
}

function withNumbers(text: string, marks: Uint8Array, room: number): string {
  let visible = ''
  let at = 0
  for (let numbers = 0; ; numbers += 1) {
    const marked = marks.indexOf(1, at)
    const end = marked < 0 ? text.length : marked
    if (visible.length + end - at > room) return cut(text, visible, at, room)
    visible += text.slice(at, end)
    if (marked < 0) return visible
    if (numbers === MOST_NUMBERS || visible.length >= room) return cut(text, visible, end, visible.length)
    const character = String.fromCodePoint(text.codePointAt(marked) ?? 0)
    visible += numberOf(character)
    at = marked + character.length
  }
}

/** Shows a text from `at` on, where nothing is hidden, as far as there is room, and counts the rest. */
function cut(text: string, visible: string, at: number, room: number): string {
  const wanted = at + Math.max(0, room - visible.length)
  const end = (text.codePointAt(wanted - 1) ?? 0) > 0xffff ? wanted - 1 : wanted
  let left = 0
  for (const _ of text.slice(end)) left += 1
  return `${visible}${text.slice(at, end)}⟦… ${left} more characters⟧`
}

function numberOf(character: string): string {
  return `⟦${hexOf(character.codePointAt(0) ?? 0)}⟧`
}

function hexOf(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
}
