import { useState } from 'preact/hooks'
import { href } from './route.ts'

/** Opens the explanation of an id that somebody has from elsewhere; `kept` is the filter that the way back leads to. */
export function ExplainField({ kept }: { kept: Readonly<Record<string, string>> }) {
  const [id, setId] = useState('')
  const asked = id.trim()
  function open(event: Event): void {
    event.preventDefault()
    if (asked !== '') location.hash = href(['explain', asked], kept)
  }
  return (
    <form class="bar" onSubmit={open}>
      <label class="filter grow">
        <span>Explain an id (token jti, request id or audit row)</span>
        <input
          type="text"
          class="mono"
          spellcheck={false}
          autocomplete="off"
          maxLength={128}
          value={id}
          onInput={event => setId(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={asked === ''}>
        Explain
      </button>
    </form>
  )
}
