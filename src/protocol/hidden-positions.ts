import { alphabetOf, emojiEnd, KIND, kindOf } from './character-kinds.ts'
import { LOOK_ALIKE, STACKED_MARKS } from './hidden-characters.ts'

/** As many marks on one letter as `STACKED_MARKS` counts. */
const STACK = 31
const BLOCK = 4096

/** Where the next character of these kinds stands at or after `from`, but within no emoji; -1 where there is none. */
export function nextOfKind(text: string, from: number, kinds: number): number {
  let at = from
  while (at < text.length) {
    const code = codeAt(text, at)
    const kind = kindOf(code)
    const end = (kind & KIND.emoji) !== 0 && mayBeEmoji(text, at, code) ? emojiEnd(text, at) : at
    if (end === at && (kind & kinds) !== 0) return at
    at = end > at ? end : at + lengthOf(code)
  }
  return -1
}

export type Word = { readonly start: number; readonly end: number }

/** The next word at or after `from` whose letters are of more than one of the alphabets that look alike. */
export function nextMixedWord(text: string, from: number): Word | undefined {
  let [at, start, first, mixed] = [from, -1, 0, false]
  for (; at < text.length; at += lengthOf(codeAt(text, at))) {
    const code = codeAt(text, at)
    if ((kindOf(code) & KIND.word) === 0) {
      if (mixed) return { start, end: at }
      start = -1
      first = 0
      continue
    }
    if (start < 0) start = at
    const alphabet = alphabetOf(code)
    if (first === 0) first = alphabet
    else if (alphabet !== 0 && alphabet !== first) mixed = true
  }
  return mixed ? { start, end: at } : undefined
}

/** Marks at most `most` letters of words that are not of the alphabet that most letters of their word are of. */
export function markForeignLetters(text: string, marks: Uint8Array, most: number): void {
  let left = most
  for (let word = nextMixedWord(text, 0); word && left > 0; word = nextMixedWord(text, word.end)) {
    const main = mainAlphabet(text, word)
    for (let at = word.start; at < word.end && left > 0; at += lengthOf(codeAt(text, at))) {
      const alphabet = alphabetOf(codeAt(text, at))
      if (alphabet === 0 || alphabet === main) continue
      marks[at] = 1
      left -= 1
    }
  }
}

function mainAlphabet(text: string, { start, end }: Word): number {
  const counts = new Uint32Array(LOOK_ALIKE.length + 1)
  for (let at = start; at < end; at += lengthOf(codeAt(text, at))) {
    const alphabet = alphabetOf(codeAt(text, at))
    if (alphabet !== 0) counts[alphabet] = (counts[alphabet] ?? 0) + 1
  }
  return counts.indexOf(Math.max(...counts))
}

/** Whether marks compose or are out of order, a letter is written as another one, or marks are stacked. */
export function isNotComposed(text: string): boolean {
  // Normalising sorts the marks of one letter, which takes quadratic time: stacks are told first.
  return STACKED_MARKS.test(text) || text !== text.normalize('NFC')
}

/** Marks at most `most` characters that composition would join to their letter, reorder or replace, and stacked marks. */
export function markNotComposed(text: string, marks: Uint8Array, most: number): void {
  if (!isNotComposed(text)) return
  let left = most
  let start = 0
  while (start < text.length && left > 0) {
    const end = endOfUnit(text, startOfCharacter(text, start + BLOCK))
    const block = text.slice(start, end)
    if (isNotComposed(block)) left -= markBlock(block, marks.subarray(start, end), left)
    start = end
  }
}

function markBlock(text: string, marks: Uint8Array, most: number): number {
  let [start, marked] = [0, 0]
  while (start < text.length && marked < most) {
    const first = codeAt(text, start)
    const end = endOfUnit(text, start + lengthOf(first))
    const isLetter = (kindOf(first) & KIND.composes) === 0
    if (isShown(text, start, end, first)) {
      const showsFirst = end === start + lengthOf(first) || !isLetter || (kindOf(first) & KIND.notNfc) !== 0
      for (let at = showsFirst ? start : start + lengthOf(first); at < end && marked < most; marked += 1) {
        marks[at] = 1
        at += lengthOf(codeAt(text, at))
      }
    }
    start = end
  }
  return marked
}

function isShown(text: string, start: number, end: number, first: number): boolean {
  if (end === start + lengthOf(first)) return (kindOf(first) & KIND.notNfc) !== 0
  const letter = (kindOf(first) & KIND.composes) === 0 ? lengthOf(first) : 0
  if (end - start - letter >= STACK) return true
  const unit = text.slice(start, end)
  return unit !== unit.normalize('NFC')
}

/** From within a text, past the marks that stand here. */
function endOfUnit(text: string, from: number): number {
  let at = from
  while (at < text.length && (kindOf(codeAt(text, at)) & KIND.composes) !== 0) at += lengthOf(codeAt(text, at))
  return at
}

/** Not between the two halves of a character. */
function startOfCharacter(text: string, at: number): number {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff ? at + 1 : at
}

/** A digit is one only with what follows it; most digits are none. */
function mayBeEmoji(text: string, at: number, code: number): boolean {
  return code > 0x7f || text.charCodeAt(at + 1) === 0xfe0f
}

function codeAt(text: string, at: number): number {
  return text.codePointAt(at) ?? 0
}

function lengthOf(code: number): number {
  return code > 0xffff ? 2 : 1
}
