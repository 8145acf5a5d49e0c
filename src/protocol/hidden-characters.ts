/*
 * The characters by which one text passes for another (protocol.md section 4, attacks.md 85): one set for the decision
 * that a version waits, and for showing the text to whoever decides.
 */

/** What needs no second look. */
export const PLAIN = /^[\t\n\x20-\x7e]*$/
/** Emoji sequences hold joiners, selectors and tags of their own right. */
export const EMOJI = String.raw`\p{RGI_Emoji}`
/** Not shown, or showing other text in another order: format, ignorable, control, private, unassigned, separators. */
export const HIDDEN = String.raw`[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Co}\p{Cn}\p{Zl}\p{Zp}[\p{Cc}--[\t\n]]]`
/** Beyond the Stream-Safe Text Format (UAX #15): no reader tells such stacks apart, and normalising one takes quadratic time. */
export const STACKED_MARKS = /\p{M}{31}/u
/** Alphabets whose letters pass for each other. */
export const LOOK_ALIKE = [
  /\p{Script=Latin}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
  /\p{Script=Coptic}/u,
  /\p{Script=Lisu}/u,
] as const
