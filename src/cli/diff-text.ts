import type { ComponentsDiff, DiffLine, VersionDetail, Warning } from '../protocol/agent-views.ts'
import { foreignText, ownLine, sectionTitle } from './foreign-text.ts'

const SIGN = { same: '  ', add: '+ ', remove: '- ', skip: '~ ' } as const

type Against = NonNullable<VersionDetail['against']>

export function warningLines(warnings: readonly Warning[]): string[] {
  return warnings.map(({ code, where, detail }) => ownLine(`Warning: ${code} at ${where}: ${detail}`))
}

/** In one line, in words of ours alone, what changed. */
export function diffSummary({ version }: Against, { prompt, tools, configuration }: ComponentsDiff): string {
  const changed = [
    ...(prompt.length > 0 ? ['prompt'] : []),
    ...(tools.length > 0 ? [`${tools.length} tool${tools.length === 1 ? '' : 's'}`] : []),
    ...(configuration.length > 0 ? ['configuration'] : []),
  ]
  return `Changed since version ${version}: ${changed.length === 0 ? '(none)' : changed.join(', ')}`
}

/** What changed between two versions, in lines that begin with `+`, `-` or space, and `~` where some are left out. */
export function diffSections({ version }: Against, { prompt, tools, configuration }: ComponentsDiff): string[] {
  const parts = [
    ...part('Prompt:', prompt),
    ...tools.flatMap(({ name, change, lines }) => part(`Tool ${name}: ${change}`, lines, true)),
    ...part('Configuration:', configuration),
  ]
  return [sectionTitle(`Changes since version ${version}`), ...(parts.length === 0 ? ['(none)'] : parts)]
}

function part(title: string, lines: readonly DiffLine[], always = false): string[] {
  return lines.length === 0 && !always ? [] : [ownLine(title), ...lines.map(lineText)]
}

function lineText({ op, text }: DiffLine): string {
  return foreignText(`${SIGN[op]}${text}`)
}
