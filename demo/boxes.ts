import { type Html, html } from './html.ts'

const BOX = { width: 204, height: 74 }
const GAP = 56
const LINE = BOX.width + GAP

/** `kind`: done, past or gate, as the style has them. */
export type Box = { readonly title: string; readonly lines: readonly string[]; readonly kind: string }

/** Boxes from left to right with arrows between them, each arrow with its word. */
export function boxes(row: readonly Box[], words: readonly string[]): Html {
  const width = row.length * LINE - GAP + 4
  const label = row.map(({ title }) => title).join(', then ')
  return html`<svg viewBox="0 0 ${width} ${BOX.height + 26}" width="${width}" role="img" aria-label="${label}">
${row.map((box, index) => drawn(box, 2 + index * LINE))}
${row.slice(1).map((_, index) => arrow(2 + index * LINE + BOX.width, words[index] ?? ''))}
</svg>`
}

/** The last part of a subject name, as people say it. */
export function bare(subject: string): string {
  return subject.slice(subject.lastIndexOf(':') + 1)
}

function drawn({ title, lines, kind }: Box, x: number): Html {
  return html`<g><rect class="${kind}" x="${x}" y="22" width="${BOX.width}" height="${BOX.height}" rx="9"/>
<text x="${x + 14}" y="47">${title}</text>${lines.map(
    (line, index) => html`<text class="soft" x="${x + 14}" y="${66 + index * 17}">${clipped(line)}</text>`,
  )}</g>
`
}

function arrow(x: number, word: string): Html {
  const y = 22 + BOX.height / 2
  const end = x + GAP - 5
  return html`<path d="M${x + 4} ${y} H${end - 7}"/><path class="head" d="M${end - 8} ${y - 5} L${end} ${y} L${end - 8} ${y + 5} Z"/>
<text class="soft" x="${x + GAP / 2}" y="14" text-anchor="middle">${word}</text>
`
}

function clipped(text: string): string {
  return text.length > 26 ? `${text.slice(0, 25)}…` : text
}
