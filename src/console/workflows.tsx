import { useState } from 'preact/hooks'
import * as z from 'zod/mini'
import { Badge, Id } from './badge.tsx'
import { ColumnHeads } from './column-heads.tsx'
import { ListHead } from './list-head.tsx'
import { getAll, type Whole } from './lists.ts'
import { Empty, Loaded, useLoad } from './load.tsx'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { Moment } from './time.tsx'

const COLUMNS = [
  ['Client', 'wide'],
  ['Workflow'],
  ['Status'],
  ['Version', 'number'],
  ['Steps', 'number'],
  ['Registered', 'wide'],
  ['Waiting'],
] as const

/** What the list shows of a workflow; the server sends its steps as well. */
const listedSchema = z.object({
  client_id: z.string(),
  workflow_id: z.string(),
  version: z.number(),
  status: z.string(),
  registered_at: z.string(),
  step_ids: z.array(z.string()),
  pending: z.number(),
})
type Listed = z.output<typeof listedSchema>

/** The workflows of all clients. */
export function WorkflowsPage({ search }: { search: URLSearchParams }) {
  return (
    <>
      <h1>Workflows</h1>
      <ForScope scope="approve:agents">
        <Workflows key={search.get('filter')} asked={search.get('filter') ?? ''} />
      </ForScope>
    </>
  )
}

function Workflows({ asked }: { asked: string }) {
  const [filter, setFilter] = useState(asked)
  const load = useLoad('workflows', allWorkflows)
  return (
    <Loaded load={load} what="workflows">
      {({ items, more }) => {
        const shown = items.filter(({ client_id, workflow_id, status }) =>
          `${client_id} ${workflow_id} ${status}`.toLowerCase().includes(filter.toLowerCase()),
        )
        return (
          <>
            <ListHead
              value={filter}
              label="Filter by client, workflow or status"
              onInput={setFilter}
              shown={shown.length}
              of={{ items, more }}
              what="workflows"
            />
            {shown.length === 0 ? (
              <Empty>No workflow {items.length === 0 ? 'is registered yet' : 'matches'}.</Empty>
            ) : (
              <Table workflows={shown} />
            )}
          </>
        )
      }}
    </Loaded>
  )
}

function Table({ workflows }: { workflows: readonly Listed[] }) {
  return (
    <table>
      <ColumnHeads columns={COLUMNS} />
      <tbody>
        {workflows.map(({ client_id, workflow_id, status, version, step_ids, registered_at, pending }) => (
          <tr key={`${client_id}/${workflow_id}`} class={pending > 0 ? 'waiting' : undefined}>
            <td class="wide">
              <Id id={client_id} />
            </td>
            <td>
              <span class="narrow quiet">
                <Id id={client_id} />
              </span>
              <a href={href(['workflows', client_id, workflow_id])}>
                <Id id={workflow_id} />
              </a>
            </td>
            <td>
              <Badge state={status} />
            </td>
            <td class="number">{version}</td>
            <td class="number">{step_ids.length}</td>
            <td class="wide">
              <Moment at={registered_at} />
            </td>
            <td>{pending > 0 && <span class="count">{pending}</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Those that wait first. */
async function allWorkflows(signal: AbortSignal): Promise<Whole<Listed>> {
  const { items, more } = await getAll('/admin/v1/workflows', listedSchema, signal)
  return { items: items.toSorted((one, other) => other.pending - one.pending), more }
}
