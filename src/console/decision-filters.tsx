import type { ComponentChildren } from 'preact'
import { useFilterDraft } from './filter-draft.ts'
import { FilterField } from './filter-field.tsx'

const NAMES = ['client_id', 'agent_id', 'action', 'outcome', 'reason'] as const
type Name = (typeof NAMES)[number]
export type DecisionFilter = Readonly<Record<Name, string>>

/** The filter that the address names. An agent's name means nothing without its client's. */
export function readFilter(search: URLSearchParams): DecisionFilter {
  const value = (name: Name) => (search.get(name) ?? '').trim()
  const client_id = value('client_id')
  const agent_id = client_id === '' ? '' : value('agent_id')
  return { client_id, agent_id, action: value('action'), outcome: value('outcome'), reason: value('reason') }
}

/** What the decisions are filtered by; what is typed stays, whatever comes meanwhile. */
export function DecisionFilters({ search, children }: { search: URLSearchParams; children: ComponentChildren }) {
  const filter = useFilterDraft('decisions', search, readFilter)
  const needs = filter.draft.client_id.trim() === '' ? 'needs a client' : ''
  return (
    <form class="bar" onSubmit={event => event.preventDefault()}>
      <FilterField filter={filter} name="client_id" label="Client" />
      <FilterField filter={filter} name="agent_id" label="Agent" needs={needs} />
      <FilterField filter={filter} name="action" label="Action" example="e.g. token.issue" />
      <label class="filter">
        <span>Outcome</span>
        <select value={filter.draft.outcome} onChange={event => filter.choose({ outcome: event.currentTarget.value })}>
          <option value="">all</option>
          <option value="refused">refused</option>
          <option value="success">success</option>
        </select>
      </label>
      <FilterField filter={filter} name="reason" label="Reason" />
      {children}
    </form>
  )
}
