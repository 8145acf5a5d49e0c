import type { ApprovalView } from '../protocol/approval.ts'
import { get, query } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { ColumnHeads } from './column-heads.tsx'
import { approvalShape } from './execution-shapes.ts'
import { listOf } from './lists.ts'
import { Empty, Loaded } from './load.tsx'
import { usePoll } from './poll.ts'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { Countdown, Moment } from './time.tsx'
import { replaceRoute } from './use-route.ts'

const STATUSES = ['pending', 'granted', 'denied', 'all'] as const
const COLUMNS = [
  ['Asked'],
  ['Approval'],
  ['Agent and step'],
  ['May do', 'wide'],
  ['Initiated by', 'wide'],
  ['Status'],
] as const
const MOST = 200

/** Steps that wait for a person, or waited. */
export function ApprovalsPage({ search }: { search: URLSearchParams }) {
  return (
    <>
      <h1>Approvals</h1>
      <ForScope scope="approve:steps">
        <Approvals status={STATUSES.find(name => name === search.get('status')) ?? 'pending'} />
      </ForScope>
    </>
  )
}

function Approvals({ status }: { status: (typeof STATUSES)[number] }) {
  const asked = query({ status, limit: String(MOST) })
  const load = usePoll(asked, signal => get(`/admin/v1/approvals${asked}`, listOf(approvalShape), signal))
  return (
    <>
      <form class="bar" onSubmit={event => event.preventDefault()}>
        <label class="filter">
          <span>Status</span>
          <select
            value={status}
            onChange={event => replaceRoute(href(['approvals'], { status: event.currentTarget.value }))}
          >
            {STATUSES.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <p class="quiet">Looks every 2 s.</p>
      </form>
      <Loaded load={load} what="approvals">
        {({ items, next_cursor }) => (
          <>
            {items.length === 0 ? (
              <Empty>{status === 'pending' ? 'Nothing waits for a decision.' : 'There is none of this kind.'}</Empty>
            ) : (
              <Table approvals={items} />
            )}
            {next_cursor !== null && <p class="quiet">These are the {items.length} newest.</p>}
          </>
        )}
      </Loaded>
    </>
  )
}

function Table({ approvals }: { approvals: readonly ApprovalView[] }) {
  return (
    <table>
      <ColumnHeads columns={COLUMNS} />
      <tbody>
        {approvals.map(approval => (
          <tr key={approval.approval_id} class={approval.status === 'pending' ? 'waiting' : undefined}>
            <td>
              <Moment at={approval.opened_at} short />
            </td>
            <td>
              <a href={href(['approvals', approval.approval_id])}>
                <Id id={approval.approval_id} />
              </a>
            </td>
            <td>
              <Id id={approval.agent_id} />
              <span class="quiet"> / </span>
              <Id id={approval.workflow_step} />
            </td>
            <td class="wide">
              <Id id={approval.scope} /> <span class="quiet">at</span> <Id id={approval.resource} />
            </td>
            <td class="wide">
              <Id id={approval.initiated_by} />
            </td>
            <td>
              <Badge state={approval.status} />
              {approval.status === 'pending' && (
                <p class="quiet">
                  for <Countdown until={approval.expires_at} />
                </p>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Most that are counted in the header, and seconds between two counts. */
const MOST_COUNTED = 100
const COUNT_EVERY = 5

/** How many wait, beside the name of their room. */
export function WaitingCount() {
  const asked = query({ status: 'pending', limit: String(MOST_COUNTED) })
  const load = usePoll(
    'count',
    signal => get(`/admin/v1/approvals${asked}`, listOf(approvalShape), signal),
    COUNT_EVERY,
  )
  if (load.data === undefined || load.data.items.length === 0) return null
  const { items, next_cursor } = load.data
  return (
    <span class="count">
      {items.length}
      {next_cursor !== null && '+'}
      <span class="hear"> waiting</span>
    </span>
  )
}
