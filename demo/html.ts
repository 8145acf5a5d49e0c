/** Text that is HTML already. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Value = string | number | Html | readonly Html[]

/** A template whose values are escaped, unless they are HTML already. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.map((part, index) => `${part}${render(values[index] ?? '')}`).join(''))
}

/** JSON on several lines, with names and values to tell apart by colour. */
export function json(value: unknown): Html {
  const tokens = JSON.stringify(value, null, 2).split(/("(?:[^"\\]|\\.)*"(?=:)|"(?:[^"\\]|\\.)*")/)
  const marked = tokens.map((token, index) => {
    if (!token.startsWith('"')) return html`${token}`
    return tokens[index + 1]?.startsWith(':') ? html`<b>${token}</b>` : html`<i>${token}</i>`
  })
  return html`<pre><code>${marked}</code></pre>`
}

function render(value: Value): string {
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(item => item.text).join('')
  return String(value).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
