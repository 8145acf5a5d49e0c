import { styleText } from 'node:util'
import { type Entry, holds } from './judge.ts'

type Style = 'green' | 'red' | 'yellow' | 'bold' | 'dim'
type Columns = {
  readonly id: string
  readonly name: string
  readonly power: string
  readonly plain: string
  readonly remit: string
  readonly how: string
}

const WIDTHS = { id: 5, name: 34, power: 7, plain: 13, remit: 10 }
const NARROWEST_HOW = 40

/** The table on the screen, a row as it is known. Colours only on a terminal. */
export class Table {
  readonly #out: NodeJS.WriteStream

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  head(): void {
    const names = { id: '', name: 'Threat', power: 'Power', plain: 'Plain OAuth', remit: 'Remit', how: 'How' }
    this.#row(names, { plain: 'bold', remit: 'bold', name: 'bold', power: 'bold', how: 'bold' })
  }

  entry(entry: Entry): void {
    const { id, name, power, plain_oauth: plain, remit, how, faults } = entry
    const tone = !holds(entry) ? 'red' : remit === 'limited' ? 'yellow' : 'green'
    this.#row(
      { id, name, power, plain, remit, how },
      { plain: plain === 'succeeds' ? 'red' : 'green', remit: tone, how: 'dim' },
    )
    for (const fault of faults) this.line(this.#styled('red', `     NOT AS IT MUST BE: ${fault}`))
  }

  heading(text: string): void {
    this.line(`\n${this.#styled('bold', text)}`)
  }

  line(text: string): void {
    this.#out.write(`${text}\n`)
  }

  /** A line that the next one takes the place of; on a terminal only. */
  passing(text: string): void {
    if (this.#out.isTTY) this.#out.write(`\r${text.padEnd(60)}\r`)
  }

  #row(columns: Columns, styles: Partial<Record<keyof Columns, Style>>): void {
    const before = Object.values(WIDTHS).reduce((sum, width) => sum + width, 0)
    const room = Math.max((this.#out.columns ?? 140) - before - 1, NARROWEST_HOW)
    const [first = '', ...rest] = wrapped(columns.how, room)
    const cell = (name: keyof typeof WIDTHS) => this.#styled(styles[name], columns[name].padEnd(WIDTHS[name]))
    const cells = [cell('id'), cell('name'), cell('power'), cell('plain'), cell('remit')].join('')
    this.line(cells + this.#styled(styles.how, first))
    for (const line of rest) this.line(' '.repeat(before) + this.#styled(styles.how, line))
  }

  #styled(style: Style | undefined, text: string): string {
    return style && this.#out.isTTY ? styleText(style, text, { stream: this.#out }) : text
  }
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
