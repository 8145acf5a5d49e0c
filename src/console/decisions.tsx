import { useState } from 'preact/hooks'
import type { AuditRowView } from '../protocol/audit-views.ts'
import { useDecisions } from './audit-poll.ts'
import { Badge, Id } from './badge.tsx'
import { ColumnHeads } from './column-heads.tsx'
import { type DecisionFilter, DecisionFilters, readFilter } from './decision-filters.tsx'
import { ExplainField } from './explain-field.tsx'
import { FailureNote } from './failure.tsx'
import { Empty } from './load.tsx'
import { ownerBehind } from './owner-behind.ts'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { Moment } from './time.tsx'

const COLUMNS = [
  ['At'],
  ['Outcome', 'wide'],
  ['Action and reason'],
  ['Client and agent'],
  ['Actor', 'wide'],
  ['Why', 'wide'],
] as const

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
  const filter = readFilter(search)
  const { rows, more = false, failed, older } = useDecisions(filter, paused)
  return (
    <>
      <DecisionFilters search={search}>
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? 'Go on' : 'Pause'}
        </button>
        <p class="quiet">{paused ? 'Paused.' : 'Looks every 2 s.'} Filters take whole names, as you type.</p>
      </DecisionFilters>
      <ExplainField kept={filter} />
      {failed && <FailureNote failed={failed} />}
      {rows === undefined && !failed && <p class="quiet loading">Loading decisions…</p>}
      {rows?.length === 0 && <Empty>Nothing was decided yet that matches.</Empty>}
      {rows !== undefined && rows.length > 0 && (
        <>
          <DecisionTable rows={rows} kept={filter} />
          <p class="quiet">
            {more && paused && (
              <button type="button" onClick={older}>
                Older
              </button>
            )}
            {more && !paused && 'There are older ones: pause to page to them.'}
            {!more && 'There is nothing older that matches.'}
          </p>
        </>
      )}
    </>
  )
}

function DecisionTable({ rows, kept }: { rows: readonly AuditRowView[]; kept: DecisionFilter }) {
  return (
    <table>
      <ColumnHeads columns={COLUMNS} />
      <tbody>
        {rows.map(row => (
          <Decision key={row.id} row={row} kept={kept} />
        ))}
      </tbody>
    </table>
  )
}

function Decision({ row, kept }: { row: AuditRowView; kept: DecisionFilter }) {
  const place = href(['explain', row.id], kept)
  const explain = (
    <a href={place}>
      Explain<span class="hear"> {row.action}</span>
    </a>
  )
  return (
    <tr class={row.outcome}>
      <td>
        <a href={place}>
          <Moment at={row.at} />
          <span class="hear"> explain</span>
        </a>
        <span class="narrow">{explain}</span>
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
        <span class="narrow">
          <span class="quiet">by</span> <Actor row={row} />
        </span>
      </td>
      <td class="wide">
        <Actor row={row} />
      </td>
      <td class="wide">{explain}</td>
    </tr>
  )
}

function Actor({ row }: { row: AuditRowView }) {
  const owner = ownerBehind(row)
  return (
    <>
      <Id id={row.actor} />
      {owner !== '' && (
        <>
          {' '}
          <span class="quiet">for</span> <Id id={owner} />
        </>
      )}
    </>
  )
}
