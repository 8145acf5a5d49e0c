/**
 * JCS text on indented lines. Only line breaks and spaces outside of strings are added, and nothing is parsed: what is
 * shown is to the letter what was digested.
 */
export function readableJcs(text: string): string {
  let depth = 0
  const line = () => `\n${'  '.repeat(depth)}`
  return text.replace(/"(?:[^"\\]|\\.)*"|[[{][\]}]|[[\]{},:]/g, token => {
    if (token === ',') return token + line()
    if (token === ':') return ': '
    if (token === '{' || token === '[') {
      depth += 1
      return token + line()
    }
    if (token === '}' || token === ']') {
      depth -= 1
      return line() + token
    }
    return token
  })
}

/**
 * The strings of a line that `readableJcs` made, and what stands between them, in turns. A line that was cut ends inside
 * its last string: were that no string, each quote in it would be looked at up to the end (attacks.md 112).
 */
export function stringsOf(line: string): readonly string[] {
  return line.split(/("(?:[^"\\]|\\.?)*(?:"|$))/)
}
