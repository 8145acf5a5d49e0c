const NUMBER = /(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/
/** No double needs so many characters; what is longer takes long to read. */
const MAX_LITERAL = 64
const STRING_OR_NUMBER = new RegExp(`"[^"\\\\]*(?:\\\\.[^"\\\\]*)*"|${NUMBER.source}`, 'g')

/**
 * Whether every number of a JSON text is the very number that its canonical form names (RFC 8785 section 3.2.2.3). With
 * more digits than a double keeps it would be rounded by one reader, and not by another that reads decimals. `text` is
 * known to be well-formed.
 */
export function hasExactNumbers(text: string): boolean {
  for (const [literal] of text.matchAll(STRING_OR_NUMBER)) {
    if (literal.startsWith('"')) continue
    if (literal.length > MAX_LITERAL || decimal(literal) !== decimal(String(Number(literal)))) return false
  }
  return true
}

/** One name for each number: its digits without zeros around them, and their power of ten. */
function decimal(literal: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(literal) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
