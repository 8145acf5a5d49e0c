import { styleText } from 'node:util'
import type { ComponentsDiff, DiffLine, Warning } from '../protocol/agent-views.ts'

const SIGN = { same: '  ', add: '+ ', remove: '- ', skip: '  ' } as const

/** What changed between two versions, in lines that begin with `+`, `-` or space. */
export function diffText({ prompt, tools, configuration }: ComponentsDiff): string {
  const parts = [
    ...part('Prompt', prompt),
    ...tools.flatMap(({ name, change, lines }) => [`Tool ${name}: ${change}`, ...lines.map(lineText)]),
    ...part('Configuration', configuration),
  ]
  return parts.length === 0 ? '(none)' : parts.join('\n')
}

export function warningLines(warnings: readonly Warning[]): string[] {
  return warnings.map(({ code, where, detail }) => printable(`Warning: ${code} at ${where}: ${detail}`))
}

/** A title and the text below it. */
export function section(title: string, text: string): string {
  return `\n${styleText('bold', printable(title))}\n${printable(text)}`
}

function part(title: string, lines: readonly DiffLine[]): string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map(lineText)]
}

function lineText({ op, text }: DiffLine): string {
  return op === 'skip' ? `  ... ${text} ...` : `${SIGN[op]}${text}`
}

/** What others wrote must not move the cursor or colour the terminal; lines stay lines. */
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|\p{Cf}/gu, '?')
}
