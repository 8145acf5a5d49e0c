import { visibleText } from '../../protocol/visible-text.ts'

/** Most bytes that one UTF-16 unit of visible text takes in an answer, where no control character is left. */
const BYTES_OF_UNIT = 3

/** Shows one text after another of an answer that takes so many bytes; what does not fit is cut, and says by how much. */
export function visibleWithin(bytes: number): (text: string) => string {
  let left = bytes
  return text => {
    const whole = visibleText(text, left)
    const visible = bytesOf(whole) <= left ? whole : visibleText(text, Math.floor(left / BYTES_OF_UNIT))
    left = Math.max(0, left - bytesOf(visible))
    return visible
  }
}

/** What a text takes in a JSON answer. */
export function bytesOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text))
}
