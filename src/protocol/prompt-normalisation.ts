// What Python's str.strip removes; JavaScript's trim differs in U+001C to U+001F, U+0085 and U+FEFF.
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const LEADING = new RegExp(`^${SPACE}+`)
const ALL_SPACE = new RegExp(SPACE)

/** Prompt normalisation of the `reference` checksum profile (protocol.md section 4). */
export function normalisePrompt(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map(strip)
    .filter(line => line !== '')
    .join('\n')
}

/** From the end by hand: a regular expression for trailing space takes quadratic time. */
function strip(line: string): string {
  let end = line.length
  while (end > 0 && ALL_SPACE.test(line.charAt(end - 1))) end -= 1
  return line.slice(0, end).replace(LEADING, '')
}
