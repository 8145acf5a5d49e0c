import { styleText } from 'node:util'

/** Standard output holds the result alone, as one JSON value or as text; everything else goes to standard error. */
export type Output = {
  readonly json: boolean
  readonly result: (value: unknown, text: string) => void
  readonly note: (line: string) => void
}

export function openOutput(json: boolean): Output {
  return {
    json,
    result: (value, text) => process.stdout.write(`${json ? JSON.stringify(value) : text}\n`),
    note: line => process.stderr.write(`${line}\n`),
  }
}

/** Columns as wide as their widest cell, the headings above. */
export function tableText(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string {
  if (rows.length === 0) return '(none)'
  const cells = rows.map(row => columns.map(column => cellText(row[column])))
  const widths = columns.map((column, at) => Math.max(column.length, ...cells.map(row => row[at]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  return [styleText('bold', line(columns)), ...cells.map(line)].join('\n')
}

/** One member a line. */
export function recordText(record: Readonly<Record<string, unknown>>): string {
  const width = Math.max(0, ...Object.keys(record).map(name => name.length))
  return Object.entries(record)
    .map(([name, value]) => `${styleText('bold', name.padEnd(width))}  ${cellText(value)}`)
    .join('\n')
}

/** The values that are there, in one line. */
export function lineText(values: readonly unknown[]): string {
  return values
    .filter(value => value !== null && value !== undefined)
    .map(cellText)
    .join('  ')
}

function cellText(value: unknown): string {
  const text = typeof value === 'string' ? value : value === null || value === undefined ? '-' : JSON.stringify(value)
  return printable(text)
}

/** One line of what others wrote: it must not move the cursor, colour the terminal, or become two lines. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}
