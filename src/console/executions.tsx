import { useState } from 'preact/hooks'
import type { ExecutionSummary } from '../protocol/execution.ts'
import { get, query } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { ColumnHeads } from './column-heads.tsx'
import { executionSummaryShape } from './execution-shapes.ts'
import { useFilterDraft } from './filter-draft.ts'
import { FilterField } from './filter-field.tsx'
import { listOf } from './lists.ts'
import { Empty, Loaded } from './load.tsx'
import { usePoll } from './poll.ts'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { Moment } from './time.tsx'

const NAMES = ['client_id', 'workflow_id', 'initiated_by', 'status'] as const
type Filter = Readonly<Record<(typeof NAMES)[number], string>>
const STATUSES = ['open', 'closed', 'revoked', 'expired'] as const
const COLUMNS = [
  ['Opened'],
  ['Execution'],
  ['Workflow'],
  ['Initiated by', 'wide'],
  ['Status'],
  ['Tokens', 'wide number'],
] as const
/** Rows a look, and the most looks for one list: beyond them it is searched with the command line. */
const PAGE = 50
const MOST_PAGES = 10

/** The executions of all clients, as they come. */
export function ExecutionsPage({ search }: { search: URLSearchParams }) {
  return (
    <>
      <h1>Executions</h1>
      <ForScope scope="audit:read">
        <Executions search={search} />
      </ForScope>
    </>
  )
}

/** The filter that the address names. A workflow's name means nothing without its client's. */
function readFilter(search: URLSearchParams): Filter {
  const value = (name: keyof Filter) => (search.get(name) ?? '').trim()
  const status = STATUSES.find(name => name === value('status')) ?? ''
  const client_id = value('client_id')
  const workflow_id = client_id === '' ? '' : value('workflow_id')
  return { client_id, workflow_id, initiated_by: value('initiated_by'), status }
}

function Executions({ search }: { search: URLSearchParams }) {
  const asked = readFilter(search)
  const key = JSON.stringify(asked)
  const [shown, setShown] = useState({ key, pages: 1 })
  const pages = shown.key === key ? shown.pages : 1
  const load = usePoll(`${key} ${pages}`, signal => newest(asked, pages, signal))
  return (
    <>
      <Filters search={search} />
      <Loaded load={load} what="executions">
        {({ items, more }) => (
          <>
            {items.length === 0 ? (
              <Empty>No execution matches. One begins with the first token of a workflow in recorded mode.</Empty>
            ) : (
              <Table executions={items} />
            )}
            {more && pages < MOST_PAGES && (
              <p>
                <button type="button" onClick={() => setShown({ key, pages: pages + 1 })}>
                  Older
                </button>
              </p>
            )}
            {more && pages === MOST_PAGES && <p class="quiet">There are older ones: narrow the filter.</p>}
          </>
        )}
      </Loaded>
    </>
  )
}

function Filters({ search }: { search: URLSearchParams }) {
  const filter = useFilterDraft('executions', search, readFilter)
  const needs = filter.draft.client_id.trim() === '' ? 'needs a client' : ''
  return (
    <form class="bar" onSubmit={event => event.preventDefault()}>
      <FilterField filter={filter} name="client_id" label="Client" />
      <FilterField filter={filter} name="workflow_id" label="Workflow" needs={needs} />
      <FilterField filter={filter} name="initiated_by" label="Initiated by" example="e.g. user:corp:42" />
      <label class="filter">
        <span>Status</span>
        <select value={filter.draft.status} onChange={event => filter.choose({ status: event.currentTarget.value })}>
          <option value="">all</option>
          {STATUSES.map(status => (
            <option key={status}>{status}</option>
          ))}
        </select>
      </label>
      <p class="quiet">Looks every 2 s.</p>
    </form>
  )
}

function Table({ executions }: { executions: readonly ExecutionSummary[] }) {
  return (
    <table>
      <ColumnHeads columns={COLUMNS} />
      <tbody>
        {executions.map(execution => (
          <tr key={execution.execution_id}>
            <td>
              <Moment at={execution.opened_at} />
            </td>
            <td>
              <a href={href(['executions', execution.execution_id])}>
                <Id id={execution.execution_id} />
              </a>
            </td>
            <td>
              <Id id={execution.client_id} />
              <span class="quiet"> / </span>
              <Id id={execution.workflow_id} />
            </td>
            <td class="wide">
              <Id id={execution.initiated_by} />
            </td>
            <td>
              <Badge state={execution.status} />
            </td>
            <td class="wide number">{execution.tokens_minted}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** The newest pages of the list, read anew each time: an older execution changes too. */
async function newest(filter: Filter, pages: number, signal: AbortSignal) {
  const items: ExecutionSummary[] = []
  let cursor: string | null = null
  for (let page = 0; page < pages; page += 1) {
    const asked = query({ ...filter, limit: String(PAGE), cursor: cursor ?? undefined })
    const read: { items: ExecutionSummary[]; next_cursor: string | null } = await get(
      `/admin/v1/executions${asked}`,
      listOf(executionSummaryShape),
      signal,
    )
    items.push(...read.items)
    cursor = read.next_cursor
    if (cursor === null) break
  }
  return { items, more: cursor !== null }
}
