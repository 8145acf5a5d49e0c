import { KIND } from '../../protocol/character-kinds.ts'
import { PLAIN } from '../../protocol/hidden-characters.ts'
import { isNotComposed, nextMixedWord, nextOfKind } from '../../protocol/hidden-positions.ts'
import { visibleName } from '../../protocol/visible-text.ts'

const LINE_ENDS = /\r\n/g
/** A name is one line. */
const CONTROL = /\p{Cc}/u
/** Most places that are named: whoever sends more is not helped by a longer list. */
const MOST_PLACES = 50
const LONGEST_NAME = 64

/**
 * Whether a reader could take the text for another one: hidden or bidirectional controls, tag characters, stacked
 * marks, other than NFC, alphabets mixed within one word (protocol.md section 4, attacks.md 85).
 */
export function hasHiddenText(text: string): boolean {
  if (PLAIN.test(text)) return false
  const lines = text.replace(LINE_ENDS, '\n')
  return nextOfKind(lines, 0, KIND.hidden) >= 0 || nextMixedWord(lines, 0) !== undefined || isNotComposed(lines)
}

/** `hasHiddenText` of a name, which holds no tab and no line end either. */
function hasHiddenName(name: string): boolean {
  return CONTROL.test(name) || hasHiddenText(name)
}

/** `hasHiddenText` of every string and member name within a JSON value; its depth is bounded by the parser. */
export function anyHiddenText(value: unknown): boolean {
  return !hiddenPlaces(value).next().done
}

/** A place whose text, or whose own name, hides something; the path has visible names, as `tools.search.description`. */
export type HiddenPlace = { readonly where: string; readonly text: string; readonly isName: boolean }

/** The first places where anything is hidden. */
export function hiddenTextPlaces(value: unknown, where: string): readonly HiddenPlace[] {
  return [...hiddenPlaces(value, where).take(MOST_PLACES)]
}

function* hiddenPlaces(value: unknown, where = ''): Generator<HiddenPlace, undefined> {
  if (typeof value === 'string') {
    if (hasHiddenText(value)) yield { where, text: value, isName: false }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      const shown = visibleName(name.toWellFormed(), LONGEST_NAME)
      const place = where === '' ? shown : `${where}.${shown}`
      if (hasHiddenName(name)) yield { where: place, text: name, isName: true }
      yield* hiddenPlaces(member, place)
    }
  }
}
