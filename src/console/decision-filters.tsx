import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { href } from './route.ts'
import { replaceRoute } from './use-route.ts'

const NAMES = ['client_id', 'agent_id', 'action', 'outcome', 'reason'] as const
type Name = (typeof NAMES)[number]
export type DecisionFilter = Readonly<Record<Name, string>>

/** Milliseconds after the last key before what was typed is looked for. */
const DELAY = 500

/** The filter that the address names. An agent's name means nothing without its client's. */
export function readFilter(search: URLSearchParams): DecisionFilter {
  const value = (name: Name) => (search.get(name) ?? '').trim()
  const client_id = value('client_id')
  const agent_id = client_id === '' ? '' : value('agent_id')
  return { client_id, agent_id, action: value('action'), outcome: value('outcome'), reason: value('reason') }
}

/** What the decisions are filtered by; what is typed stays, whatever comes meanwhile. */
export function DecisionFilters({ search, children }: { search: URLSearchParams; children: ComponentChildren }) {
  const { draft, type, apply, choose } = useDraft(search)
  const field = (name: Name, label: string, example = 'all', off = false) => (
    <label class="filter">
      <span>{label}</span>
      <input
        type="text"
        class="mono"
        spellcheck={false}
        autocomplete="off"
        disabled={off}
        placeholder={off ? 'needs a client' : example}
        value={draft[name]}
        onInput={event => type({ [name]: event.currentTarget.value })}
        onBlur={apply}
        onKeyDown={event => event.key === 'Enter' && apply()}
      />
    </label>
  )
  return (
    <form class="bar" onSubmit={event => event.preventDefault()}>
      {field('client_id', 'Client')}
      {field('agent_id', 'Agent', 'all', draft.client_id.trim() === '')}
      {field('action', 'Action', 'e.g. token.issue')}
      <label class="filter">
        <span>Outcome</span>
        <select value={draft.outcome} onChange={event => choose({ outcome: event.currentTarget.value })}>
          <option value="">all</option>
          <option value="refused">refused</option>
          <option value="success">success</option>
        </select>
      </label>
      {field('reason', 'Reason')}
      {children}
    </form>
  )
}

/** The filter as it is being typed, put into the address by `apply`, or by itself when no key came for a while. */
function useDraft(search: URLSearchParams) {
  const asked = readFilter(search)
  const key = JSON.stringify(asked)
  const [draft, setDraft] = useState(asked)
  const applied = useRef(key)
  const waiting = useRef<{ filter: DecisionFilter; timer: ReturnType<typeof setTimeout> }>(undefined)
  function forget(): void {
    clearTimeout(waiting.current?.timer)
    waiting.current = undefined
  }
  function apply(): void {
    if (!waiting.current) return
    const filter = readFilter(new URLSearchParams(waiting.current.filter))
    forget()
    applied.current = JSON.stringify(filter)
    replaceRoute(href(['decisions'], filter))
  }
  function type(part: Partial<DecisionFilter>): void {
    const filter = { ...draft, ...part }
    setDraft(filter)
    forget()
    waiting.current = { filter, timer: setTimeout(apply, DELAY) }
  }
  function choose(part: Partial<DecisionFilter>): void {
    type(part)
    apply()
  }
  // A link or the way back brings a filter of its own; the one that this form put there is shown already.
  useEffect(() => {
    if (key === applied.current) return
    forget()
    applied.current = key
    setDraft(asked)
  }, [key])
  useEffect(() => forget, [])
  return { draft, type, apply, choose }
}
