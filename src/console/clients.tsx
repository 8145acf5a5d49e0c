import { useState } from 'preact/hooks'
import { Badge, Id } from './badge.tsx'
import type { ClientView } from './client-view.ts'
import { ColumnHeads } from './column-heads.tsx'
import { ListHead } from './list-head.tsx'
import { getAll } from './lists.ts'
import { Empty, Loaded, useLoad } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { clientShape } from './shapes.ts'
import { Moment } from './time.tsx'

const COLUMNS = [
  ['Client'],
  ['Name', 'wide'],
  ['Kind'],
  ['Owner'],
  ['Authenticates by', 'wide'],
  ['Status'],
  ['Created', 'wide'],
] as const

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
            <ListHead
              value={filter}
              label="Filter by id, name, owner or kind"
              onInput={setFilter}
              shown={shown.length}
              of={{ items, more }}
              what="clients"
            />
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
      <ColumnHeads columns={COLUMNS} />
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
