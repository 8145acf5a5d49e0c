import { useState } from 'preact/hooks'
import * as z from 'zod/mini'
import { Badge, Id } from './badge.tsx'
import { FilterBox } from './filter-box.tsx'
import { getAll, type Whole } from './lists.ts'
import { Empty, Loaded, useLoad } from './load.tsx'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { agentShape } from './shapes.ts'
import { Moment } from './time.tsx'

/** What the list shows of a workflow; the server sends its steps as well. */
const listedSchema = z.object({
  workflow_id: z.string(),
  version: z.number(),
  status: z.string(),
  registered_at: z.string(),
  step_ids: z.array(z.string()),
  pending: z.number(),
})
type Listed = z.output<typeof listedSchema> & { readonly client_id: string }

/** The workflows of all clients. */
export function WorkflowsPage() {
  return (
    <>
      <h1>Workflows</h1>
      <ForScope scope="approve:agents">
        <Workflows />
      </ForScope>
    </>
  )
}

function Workflows() {
  const [filter, setFilter] = useState('')
  const load = useLoad('workflows', allWorkflows)
  return (
    <Loaded load={load} what="workflows">
      {({ items, more }) => {
        const shown = items.filter(({ client_id, workflow_id, status }) =>
          `${client_id} ${workflow_id} ${status}`.toLowerCase().includes(filter.toLowerCase()),
        )
        return (
          <>
            <div class="bar">
              <FilterBox value={filter} label="Filter by client, workflow or status" onInput={setFilter} />
              <p class="quiet" role="status">
                {shown.length} of {items.length}
                {more && ' first'} workflows
              </p>
            </div>
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
      <thead>
        <tr>
          <th scope="col" class="wide">
            Client
          </th>
          <th scope="col">Workflow</th>
          <th scope="col">Status</th>
          <th scope="col" class="number">
            Version
          </th>
          <th scope="col" class="number">
            Steps
          </th>
          <th scope="col" class="wide">
            Registered
          </th>
          <th scope="col">Waiting</th>
        </tr>
      </thead>
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

/** The server lists them client by client; the clients that have agents are those whose workflows run. */
async function allWorkflows(signal: AbortSignal): Promise<Whole<Listed>> {
  const agents = await getAll('/admin/v1/agents', agentShape, signal)
  const client_ids = [...new Set(agents.items.map(agent => agent.app_id))]
  const lists = await Promise.all(
    client_ids.map(async client_id => {
      const { items } = await getAll(`/admin/v1/workflows/${client_id}`, listedSchema, signal)
      return items.map(workflow => ({ ...workflow, client_id }))
    }),
  )
  return { items: lists.flat().sort((one, other) => other.pending - one.pending), more: agents.more }
}
