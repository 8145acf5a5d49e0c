import { useRef } from 'preact/hooks'
import type { AgentDetail } from '../protocol/agent-views.ts'
import { cameBack, versionState } from '../protocol/version-state.ts'
import { AgentActs } from './agent-acts.tsx'
import { AgentKeys } from './agent-keys.tsx'
import { Version } from './agent-version.tsx'
import { stateOf } from './agents.tsx'
import { get } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { GrantList } from './grant-list.tsx'
import { Empty, Loaded } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { usePoll } from './poll.ts'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { agentDetailShape } from './shapes.ts'
import { Countdown, Moment } from './time.tsx'

export type AgentName = { readonly client_id: string; readonly agent_id: string }

/** One agent: what it is, what it may do, its versions, and one of them in full. */
export function AgentPage(props: AgentName & { registration_id: string; against: string }) {
  const { client_id, agent_id } = props
  return (
    <>
      <p class="crumb">
        <a href={href(['agents'])}>Agents</a> / <Id id={client_id} />
      </p>
      <ForScope scope="approve:agents">
        <Agent key={`${client_id}/${agent_id}`} {...props} />
      </ForScope>
    </>
  )
}

function Agent({ client_id, agent_id, registration_id, against }: Parameters<typeof AgentPage>[0]) {
  const shown = useRef<string>(undefined)
  const load = usePoll(`agent ${client_id}/${agent_id}`, signal =>
    get(`/admin/v1/agents/${client_id}/${agent_id}`, agentDetailShape, signal),
  )
  return (
    <Loaded load={load} what="the agent">
      {agent => {
        // What was looked at stays, also when a decision makes it no longer the one to decide.
        const chosen = registration_id || shown.current || newestToDecide(agent)
        shown.current = chosen
        return (
          <>
            <header class="title">
              <h1>
                <Id id={agent.agent_id} />
              </h1>
              <Badge state={stateOfDetail(agent)} />
              <AgentActs agent={agent} reload={load.reload} />
            </header>
            <div class="split">
              <div class="side">
                <Facts agent={agent} />
                <VersionList agent={agent} chosen={chosen} />
                <AgentKeys agent={agent} reload={load.reload} />
              </div>
              <section class="rest" aria-label="Version">
                {chosen === undefined ? (
                  <Empty>This agent has no version.</Empty>
                ) : (
                  <Version
                    key={`${chosen} ${against}`}
                    agent={agent}
                    registration_id={chosen}
                    against={against}
                    reload={load.reload}
                  />
                )}
              </section>
            </div>
          </>
        )
      }}
    </Loaded>
  )
}

function Facts({ agent }: { agent: AgentDetail }) {
  const { app_id, agent_id, suspended } = agent
  return (
    <section class="card">
      {suspended && (
        <p class="note wait">
          Suspended <Moment at={suspended.at} /> by <Id id={suspended.by} /> (<Id id={suspended.owner} />
          ): <ForeignText text={suspended.reason} />
        </p>
      )}
      <dl>
        <dt>Client</dt>
        <dd>
          <a href={href(['clients', app_id])}>
            <Id id={app_id} />
          </a>
        </dd>
        <dt>Owner</dt>
        <dd>
          <Id id={agent.owner} />
        </dd>
        <dt>Grant</dt>
        <dd>
          <GrantList grant={agent.grant} />
        </dd>
        <dt>Audit</dt>
        <dd>
          <a href={href(['decisions'], { client_id: app_id, agent_id })}>Decisions about this agent</a>
        </dd>
      </dl>
    </section>
  )
}

function VersionList({ agent, chosen }: { agent: AgentDetail; chosen: string | undefined }) {
  return (
    <section class="card">
      <h2>Versions</h2>
      <ul class="versions">
        {agent.registrations.map(version => (
          <li key={version.registration_id}>
            <a
              href={href(['agents', agent.app_id, agent.agent_id, version.registration_id])}
              aria-current={version.registration_id === chosen ? 'true' : undefined}
            >
              <span class="version-number">v{version.version}</span>
              <Badge state={versionState(version)} />
              <span class="quiet">
                {version.status === 'draining' && version.drains_until !== null ? (
                  <>
                    <Countdown until={version.drains_until} /> left
                  </>
                ) : (
                  <Moment at={version.registered_at} />
                )}
                {cameBack(version) && ' rolled back'}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** The agent's state; by its version where that is what counts. */
function stateOfDetail(agent: AgentDetail): string {
  const version = agent.registrations.find(({ registration_id }) => registration_id === agent.registration_id)
  return stateOf(version ? { ...agent, status: versionState(version) } : agent)
}

/** What a person comes for: the newest version that waits, else the one that counts. */
function newestToDecide(agent: AgentDetail): string | undefined {
  const waiting = agent.registrations.find(version => version.status === 'pending')
  return waiting?.registration_id ?? agent.registration_id ?? agent.registrations[0]?.registration_id
}
