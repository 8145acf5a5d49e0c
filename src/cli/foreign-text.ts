import { styleText } from 'node:util'
import { printable } from './output.ts'

/** Before every line that others wrote, so that none passes for one of ours. */
const MARGIN = '│ '
/** Before what goes on of a line that is wider than the terminal. */
const GOES_ON = '┊ '
const TAB = '    '

/** A title of ours and the text of others below it. */
export function section(title: string, text: string): string {
  return `${sectionTitle(title)}\n${foreignText(text)}`
}

export function sectionTitle(title: string): string {
  return `\n${styleText('bold', ownLine(title))}`
}

/** A line of ours with names of others in it: what goes on of it does not pass for the next one. */
export function ownLine(line: string, columns = process.stdout.columns): string {
  return brokenLine(printable(line), widthOf(columns)).join(`\n${GOES_ON}`)
}

/**
 * Text of others behind a margin. Lines are broken here, not by the terminal, which would put what goes on of a line
 * where our own lines begin; `columns` is its width, without one they stay whole.
 */
export function foreignText(text: string, columns = process.stdout.columns): string {
  return text
    .split('\n')
    .map(line => MARGIN + ownLine(line.replaceAll('\t', TAB), columns))
    .join('\n')
}

function widthOf(columns: number | undefined): number {
  return columns === undefined ? Number.POSITIVE_INFINITY : Math.max(8, columns - MARGIN.length)
}

/** Whatever is not ASCII may take two columns. */
function brokenLine(line: string, width: number): string[] {
  if (line.length * 2 <= width) return [line]
  const parts: string[] = []
  let [start, at, used] = [0, 0, 0]
  for (const character of line) {
    const wide = character > '~' ? 2 : 1
    if (used + wide > width) {
      parts.push(line.slice(start, at))
      start = at
      used = 0
    }
    used += wide
    at += character.length
  }
  return [...parts, line.slice(start)]
}
