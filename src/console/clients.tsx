import { useState } from 'preact/hooks'
import { Badge, Id } from './badge.tsx'
import type { ClientView } from './client-view.ts'
import { FilterBox } from './filter-box.tsx'
import { getAll } from './lists.ts'
import { Empty, Loaded, useLoad } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { clientShape } from './shapes.ts'
import { Moment } from './time.tsx'

/** The clients of this server. */
export function ClientsPage() {
  return (
    <>
      <h1>Clients</h1>
      <ForScope scope="admin:clients">
        <Clients />
      </ForScope>
    </>
  )
}

function Clients() {
  const [filter, setFilter] = useState('')
  const load = useLoad('clients', signal => getAll('/admin/v1/clients', clientShape, signal))
  return (
    <Loaded load={load} what="clients">
      {({ items, more }) => {
        const shown = items.filter(({ client_id, client_name, owner, kind, status }) =>
          `${client_id} ${client_name} ${owner} ${kind} ${status}`.toLowerCase().includes(filter.toLowerCase()),
        )
        return (
          <>
            <div class="bar">
              <FilterBox value={filter} label="Filter by id, name, owner or kind" onInput={setFilter} />
              <p class="quiet" role="status">
                {shown.length} of {items.length}
                {more && ' first'} clients
              </p>
            </div>
            {shown.length === 0 ? <Empty>No client matches the filter.</Empty> : <ClientTable clients={shown} />}
          </>
        )
      }}
    </Loaded>
  )
}

function ClientTable({ clients }: { clients: readonly ClientView[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Client</th>
          <th scope="col" class="wide">
            Name
          </th>
          <th scope="col">Kind</th>
          <th scope="col">Owner</th>
          <th scope="col" class="wide">
            Authenticates by
          </th>
          <th scope="col">Status</th>
          <th scope="col" class="wide">
            Created
          </th>
        </tr>
      </thead>
      <tbody>
        {clients.map(({ client_id, client_name, kind, owner, token_endpoint_auth_method, status, created_at }) => (
          <tr key={client_id}>
            <td>
              <a href={href(['clients', client_id])}>
                <Id id={client_id} />
              </a>
            </td>
            <td class="wide">
              <ForeignText text={client_name} />
            </td>
            <td>{kind}</td>
            <td>
              <Id id={owner} />
            </td>
            <td class="wide">
              <code>{token_endpoint_auth_method}</code>
            </td>
            <td>
              <Badge state={status} />
            </td>
            <td class="wide">
              <Moment at={created_at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
