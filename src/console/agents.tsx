import { useState } from 'preact/hooks'
import type { AgentView } from '../protocol/agent-views.ts'
import { Badge, Id } from './badge.tsx'
import { ColumnHeads } from './column-heads.tsx'
import { ListHead } from './list-head.tsx'
import { getAll } from './lists.ts'
import { Empty, Loaded, useLoad } from './load.tsx'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { agentShape } from './shapes.ts'
import { Moment } from './time.tsx'

const COLUMNS = [
  ['Client', 'wide'],
  ['Agent'],
  ['Status'],
  ['Version', 'number'],
  ['Checksum', 'wide'],
  ['Registered', 'wide'],
  ['Waiting'],
] as const

/** All agents of all clients; those that wait for somebody come first. */
export function AgentsPage({ search }: { search: URLSearchParams }) {
  return (
    <>
      <h1>Agents</h1>
      <ForScope scope="approve:agents">
        <Agents key={search.get('filter')} asked={search.get('filter') ?? ''} />
      </ForScope>
    </>
  )
}

function Agents({ asked }: { asked: string }) {
  const [filter, setFilter] = useState(asked)
  const load = useLoad('agents', signal => getAll('/admin/v1/agents', agentShape, signal))
  return (
    <Loaded load={load} what="agents">
      {({ items, more }) => {
        const shown = items.filter(agent => matches(agent, filter)).sort(waitingFirst)
        const waiting = shown.filter(agent => agent.pending > 0).length
        return (
          <>
            <ListHead
              value={filter}
              label="Filter by client, agent or status"
              onInput={setFilter}
              shown={shown.length}
              of={{ items, more }}
              what="agents"
            >
              {waiting > 0 && (
                <>
                  , <strong class="waits">{waiting} waiting</strong>
                </>
              )}
            </ListHead>
            {items.length === 0 ? (
              <Empty>No agent is registered yet. An app registers its agents with POST /intent/register/agent.</Empty>
            ) : (
              <AgentTable agents={shown} />
            )}
          </>
        )
      }}
    </Loaded>
  )
}

function AgentTable({ agents }: { agents: readonly AgentView[] }) {
  if (agents.length === 0) return <Empty>No agent matches the filter.</Empty>
  return (
    <table>
      <ColumnHeads columns={COLUMNS} />
      <tbody>
        {agents.map(agent => (
          <tr key={`${agent.app_id}/${agent.agent_id}`} class={agent.pending > 0 ? 'waiting' : undefined}>
            <td class="wide">
              <Id id={agent.app_id} />
            </td>
            <td>
              <span class="narrow quiet">
                <Id id={agent.app_id} />
              </span>
              <a href={href(['agents', agent.app_id, agent.agent_id])}>
                <Id id={agent.agent_id} />
              </a>
            </td>
            <td>
              <Badge state={stateOf(agent)} />
            </td>
            <td class="number">{agent.version ?? '–'}</td>
            <td class="wide">{agent.checksum === null ? '–' : <Id id={agent.checksum} short />}</td>
            <td class="wide">{agent.registered_at === null ? '–' : <Moment at={agent.registered_at} />}</td>
            <td>{agent.pending > 0 && <span class="count">{agent.pending}</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** A suspended or revoked agent is that, whatever its version is. */
export function stateOf({ agent_status, status }: Pick<AgentView, 'agent_status' | 'status'>): string {
  return agent_status === 'active' ? (status ?? 'none') : agent_status
}

function matches(agent: AgentView, filter: string): boolean {
  const text = `${agent.app_id} ${agent.agent_id} ${stateOf(agent)}${agent.pending > 0 ? ' waiting' : ''}`.toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every(word => text.includes(word))
}

function waitingFirst(one: AgentView, other: AgentView): number {
  return Number(other.pending > 0) - Number(one.pending > 0)
}
