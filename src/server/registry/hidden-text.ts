const PLAIN = /^[\t\n\x20-\x7e]*$/
const LINE_ENDS = /\r\n/g
/** Emoji sequences hold joiners, selectors and tags of their own right. */
const EMOJI = /\p{RGI_Emoji}/gv
/** Not shown, or showing other text in another order: format, ignorable, control, private, unassigned, separators. */
const HIDDEN = /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?![\t\n])\p{Cc}/u
/** Beyond the Stream-Safe Text Format (UAX #15): no reader tells such stacks apart, and normalising one takes quadratic time. */
const STACKED_MARKS = /\p{M}{31}/u
const WORD = /[\p{L}\p{M}\p{N}_]+/gu
/** Alphabets whose letters pass for each other. */
const LOOK_ALIKE = [
  /\p{Script=Latin}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
  /\p{Script=Coptic}/u,
  /\p{Script=Lisu}/u,
] as const

/**
 * Whether a reader could take the text for another one: hidden or bidirectional controls, tag characters, stacked
 * marks, other than NFC, alphabets mixed within one word (protocol.md section 4, attacks.md 85).
 */
export function hasHiddenText(text: string): boolean {
  if (PLAIN.test(text)) return false
  if (STACKED_MARKS.test(text) || text !== text.normalize('NFC')) return true
  if (HIDDEN.test(text.replace(LINE_ENDS, '\n').replace(EMOJI, ''))) return true
  return (text.match(WORD) ?? []).some(word => LOOK_ALIKE.filter(script => script.test(word)).length > 1)
}

/** `hasHiddenText` of every string and member name within a JSON value; its depth is bounded by the parser. */
export function anyHiddenText(value: unknown): boolean {
  if (typeof value === 'string') return hasHiddenText(value)
  if (Array.isArray(value)) return value.some(anyHiddenText)
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([name, member]) => hasHiddenText(name) || anyHiddenText(member))
}
