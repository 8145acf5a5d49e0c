import { styleText } from 'node:util'
import type { Outcome } from './attempt.ts'

export type Step = {
  readonly name: string
  readonly title: string
  readonly ok: boolean
  readonly detail: string
  /** Milliseconds since the demo began. */
  readonly started: number
  readonly milliseconds: number
}

type Style = 'green' | 'red' | 'bold' | 'dim'

/** The table on the screen: a line for each step and each refusal, as they happen. Colours only on a terminal. */
export class Progress {
  readonly steps: Step[] = []
  readonly refusals: Outcome[] = []
  readonly #out: NodeJS.WriteStream
  readonly #began = performance.now()

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  heading(text: string): void {
    this.#line(`\n${this.#styled('bold', text)}`)
  }

  note(text: string): void {
    this.#line(text)
  }

  /** Does one step and reports it; what it throws goes on to the caller. @returns what the step returns */
  async step<T>(name: string, title: string, act: () => Promise<{ detail: string; result: T }>): Promise<T> {
    const started = performance.now() - this.#began
    const finish = (ok: boolean, detail: string) => {
      const milliseconds = performance.now() - this.#began - started
      this.steps.push({ name, title, ok, detail, started, milliseconds })
      const mark = ok ? this.#styled('green', 'ok     ') : this.#styled('red', 'FAILED ')
      const time = this.#styled('dim', `${(milliseconds / 1000).toFixed(2).padStart(6)} s`)
      this.#line(`  ${mark} ${time}  ${title.padEnd(40)} ${detail}`)
    }
    try {
      const { detail, result } = await act()
      finish(true, detail)
      return result
    } catch (error) {
      const [firstLine = ''] = String(error instanceof Error ? error.message : error).split('\n')
      finish(false, firstLine)
      throw error
    }
  }

  refusal(outcome: Outcome): void {
    this.refusals.push(outcome)
    const { name, status, error, refused, expected } = outcome
    const mark = refused ? this.#styled('green', 'refused') : this.#styled('red', 'NOT SO ')
    const instead = refused ? '' : `  (expected ${expected.status} ${expected.error})`
    this.#line(`  ${mark} ${String(status).padStart(5)}  ${error.padEnd(28)} ${name}${instead}`)
  }

  /** Every step done and every attempt refused as expected. */
  get ok(): boolean {
    return this.steps.every(step => step.ok) && this.refusals.every(outcome => outcome.refused)
  }

  #line(text: string): void {
    this.#out.write(`${text}\n`)
  }

  #styled(style: Style, text: string): string {
    return this.#out.isTTY ? styleText(style, text, { stream: this.#out }) : text
  }
}
