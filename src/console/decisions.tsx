import { useState } from 'preact/hooks'
import type { AuditRowView } from '../protocol/audit-views.ts'
import { type AuditFilter, useDecisions } from './audit-poll.ts'
import { Badge, Id } from './badge.tsx'
import { FailureNote } from './failure.tsx'
import { Empty } from './load.tsx'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { Moment } from './time.tsx'
import { replaceRoute } from './use-route.ts'

/** What the server decides, as it decides it. */
export function DecisionsPage({ search }: { search: URLSearchParams }) {
  return (
    <>
      <h1>Live decisions</h1>
      <ForScope scope="audit:read">
        <DecisionsView search={search} />
      </ForScope>
    </>
  )
}

function DecisionsView({ search }: { search: URLSearchParams }) {
  const [paused, setPaused] = useState(false)
  const value = (name: string) => search.get(name) ?? ''
  const set = (name: string, text: string) =>
    replaceRoute(href(['decisions'], { ...Object.fromEntries(search), [name]: text.trim() }))
  // An agent's name means nothing without its client's.
  const agent_id = value('client_id') === '' ? '' : value('agent_id')
  const filter: AuditFilter = {
    client_id: value('client_id'),
    agent_id,
    outcome: value('outcome'),
    reason: value('reason'),
  }
  const { rows, failed } = useDecisions(filter, paused)
  return (
    <>
      <form class="bar" onSubmit={event => event.preventDefault()}>
        <Filter name="Client" value={value('client_id')} onChange={text => set('client_id', text)} />
        <Filter
          name="Agent"
          value={value('agent_id')}
          off={value('client_id') === ''}
          onChange={text => set('agent_id', text)}
        />
        <label class="filter">
          <span>Outcome</span>
          <select value={value('outcome')} onChange={event => set('outcome', event.currentTarget.value)}>
            <option value="">all</option>
            <option value="refused">refused</option>
            <option value="success">success</option>
          </select>
        </label>
        <Filter name="Reason" value={value('reason')} onChange={text => set('reason', text)} />
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? 'Go on' : 'Pause'}
        </button>
        <p class="quiet">{paused ? 'Paused.' : 'Looks every 2 s.'}</p>
      </form>
      {failed && <FailureNote failed={failed} />}
      {rows === undefined && !failed && <p class="quiet loading">Loading decisions…</p>}
      {rows?.length === 0 && <Empty>Nothing was decided yet that matches.</Empty>}
      {rows !== undefined && rows.length > 0 && <DecisionTable rows={rows} />}
    </>
  )
}

/** Takes effect when it is left or Enter is pressed: half a name finds nothing. */
function Filter(props: { name: string; value: string; off?: boolean; onChange: (text: string) => void }) {
  const { name, value, off = false, onChange } = props
  return (
    <label class="filter">
      <span>{name}</span>
      <input
        type="text"
        class="mono"
        spellcheck={false}
        autocomplete="off"
        disabled={off}
        placeholder={off ? 'needs a client' : 'all'}
        value={value}
        onChange={event => onChange(event.currentTarget.value)}
      />
    </label>
  )
}

function DecisionTable({ rows }: { rows: readonly AuditRowView[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">At</th>
          <th scope="col" class="wide">
            Outcome
          </th>
          <th scope="col">Action and reason</th>
          <th scope="col">Client and agent</th>
          <th scope="col" class="wide">
            Actor
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(row => (
          <tr key={row.id} class={row.outcome}>
            <td>
              <a href={href(['explain', row.id])}>
                <Moment at={row.at} short />
                <span class="hear"> explain</span>
              </a>
            </td>
            <td class="wide">
              <Badge state={row.outcome} />
            </td>
            <td>
              <span class="narrow">
                <Badge state={row.outcome} />
              </span>
              <span class="what">
                <code>{row.action}</code>
                {row.reason !== null && <strong class="reason">{row.reason}</strong>}
              </span>
            </td>
            <td>
              {row.client_id !== null && <Id id={row.client_id} />}
              {row.agent_id !== null && (
                <>
                  <span class="quiet"> / </span>
                  <Id id={row.agent_id} />
                </>
              )}
            </td>
            <td class="wide">
              <Id id={row.actor} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
