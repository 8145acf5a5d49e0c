import { EMOJI, HIDDEN, LOOK_ALIKE, PLAIN, STACKED_MARKS, WORD } from '../../protocol/hidden-characters.ts'
import { visibleText } from '../../protocol/visible-text.ts'

const LINE_ENDS = /\r\n/g
const EMOJIS = new RegExp(EMOJI, 'gv')
const ANY_HIDDEN = new RegExp(HIDDEN, 'v')
/** Most places that are named: whoever sends more is not helped by a longer list. */
const MOST_PLACES = 50
const LONGEST_NAME = 64

/**
 * Whether a reader could take the text for another one: hidden or bidirectional controls, tag characters, stacked
 * marks, other than NFC, alphabets mixed within one word (protocol.md section 4, attacks.md 85).
 */
export function hasHiddenText(text: string): boolean {
  if (PLAIN.test(text)) return false
  if (STACKED_MARKS.test(text) || text !== text.normalize('NFC')) return true
  if (ANY_HIDDEN.test(text.replace(LINE_ENDS, '\n').replace(EMOJIS, ''))) return true
  return (text.match(WORD) ?? []).some(word => LOOK_ALIKE.filter(script => word.search(script) >= 0).length > 1)
}

/** `hasHiddenText` of every string and member name within a JSON value; its depth is bounded by the parser. */
export function anyHiddenText(value: unknown): boolean {
  return !hiddenPlaces(value).next().done
}

/** A place whose text, or whose own name, hides something; the path has visible names, as `tools.search.description`. */
export type HiddenPlace = { readonly where: string; readonly text: string }

/** The first places where anything is hidden. */
export function hiddenTextPlaces(value: unknown, where: string): readonly HiddenPlace[] {
  return [...hiddenPlaces(value, where).take(MOST_PLACES)]
}

function* hiddenPlaces(value: unknown, where = ''): Generator<HiddenPlace, undefined> {
  if (typeof value === 'string') {
    if (hasHiddenText(value)) yield { where, text: value }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      const shown = visibleText(name.slice(0, LONGEST_NAME).toWellFormed())
      const place = where === '' ? shown : `${where}.${shown}`
      if (hasHiddenText(name)) yield { where: place, text: name }
      yield* hiddenPlaces(member, place)
    }
  }
}
