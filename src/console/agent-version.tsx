import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import type { AgentDetail, PendingCause, RegistrationView, VersionDetail } from '../protocol/agent-views.ts'
import { cameBack, everCounted, versionState } from '../protocol/version-state.ts'
import { get, query } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { ComponentsDiffView, ComponentsText } from './components-view.tsx'
import { DecidedBy } from './decided-by.tsx'
import { GrantList } from './grant-list.tsx'
import { Loaded, useLoad } from './load.tsx'
import { ForeignText, MarkedText } from './marked-text.tsx'
import { href } from './route.ts'
import { versionShape } from './shapes.ts'
import { Moment } from './time.tsx'
import { VersionActs } from './version-acts.tsx'

const WAITS_FOR: Readonly<Record<PendingCause, string>> = {
  require_approval: 'its client asks for approval of every version',
  'hidden-characters': 'it has characters that are not seen',
  keys: 'it brings keys that are not registered',
  revoked_checksum: 'a version of the same content was revoked',
}

/** One version in full: what to look out for, what changed, what it proposes, its components. */
export function Version({
  agent,
  registration_id,
  against,
  reload,
}: {
  agent: AgentDetail
  registration_id: string
  against: string
  reload: () => void
}) {
  const { app_id, agent_id } = agent
  const load = useLoad(`version ${registration_id} ${against}`, signal =>
    get(
      `/admin/v1/agents/${app_id}/${agent_id}/versions/${encodeURIComponent(registration_id)}${query({ against })}`,
      versionShape,
      signal,
    ),
  )
  const listed = agent.registrations.find(one => one.registration_id === registration_id)?.status
  // Somebody else may have decided meanwhile.
  useEffect(() => {
    if (listed !== undefined && load.data !== undefined && load.data.status !== listed) load.reload()
  }, [listed])
  function reloadBoth(): void {
    load.reload()
    reload()
  }
  return (
    <Loaded load={load} what="the version">
      {version => (
        <>
          <header class="title">
            <h2>Version {version.version}</h2>
            <Badge state={versionState(version)} />
            <VersionActs agent={agent} version={version} reload={reloadBoth} />
          </header>
          <Warnings version={version} />
          <Proposal version={version} />
          <Origin agent={agent} version={version} />
          <Changes agent={agent} version={version} />
          <h3>Components</h3>
          <ComponentsText components={version.components} />
        </>
      )}
    </Loaded>
  )
}

function Warnings({ version }: { version: VersionDetail }) {
  if (version.warnings.length === 0 && version.status !== 'pending') return null
  return (
    <section class="note wait" aria-label="Look out">
      {version.status === 'pending' && (
        <p>
          <strong>Waits for approval</strong>
          {version.pending_for.length > 0 && `: ${version.pending_for.map(cause => WAITS_FOR[cause]).join('; ')}`}.
        </p>
      )}
      {version.warnings.length > 0 && (
        <ul class="warnings">
          {version.warnings.map(({ code, where, detail }) => (
            <li key={code + where + detail}>
              <code class="warning-code">{code}</code> {where !== '' && <Id id={where} />} <MarkedText text={detail} />
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function Proposal({ version: { status, proposed_grant, proposed_jkts } }: { version: VersionDetail }) {
  if (status !== 'pending' || (proposed_grant === null && proposed_jkts.length === 0)) return null
  return (
    <section class="card">
      <h3>It proposes, beside its content</h3>
      <dl>
        {proposed_grant && (
          <>
            <dt>Grant</dt>
            <dd>
              <GrantList grant={proposed_grant} />
            </dd>
          </>
        )}
        {proposed_jkts.length > 0 && (
          <>
            <dt>Keys</dt>
            <dd class="ids">
              {proposed_jkts.map(jkt => (
                <Id key={jkt} id={jkt} />
              ))}
            </dd>
          </>
        )}
      </dl>
    </section>
  )
}

function Origin({ agent, version }: { agent: AgentDetail; version: VersionDetail }) {
  const { client_id, agent_id, registration_id } = version
  const decided = { client_id, agent_id, about: { registration_id } }
  return (
    <dl class="origin">
      <Fact name="Registration">
        <Id id={version.registration_id} />
      </Fact>
      <Fact name="Checksum">
        <Id id={version.checksum} /> <span class="quiet">{version.checksum_profile}</span>
      </Fact>
      {cameBack(version) ? (
        <Fact name="Rolled back">
          <Moment at={version.registered_at} />{' '}
          <DecidedBy action="agent.rollback" {...decided} by={version.registered_by} />
          {contentOf(agent, version)}, which <Id id={version.registered_owner} /> answers for
        </Fact>
      ) : (
        <Fact name="Registered">
          <Moment at={version.registered_at} /> by <Id id={version.registered_by} /> for{' '}
          <Id id={version.registered_owner} />
        </Fact>
      )}
      {version.approved_at !== null && !cameBack(version) && (
        <Fact name="Approved">
          <Moment at={version.approved_at} />
          {version.approved_by !== null && (
            <>
              {' '}
              <DecidedBy action="agent.approve" {...decided} by={version.approved_by} />
            </>
          )}
        </Fact>
      )}
      {version.rejected_at !== null && (
        <Fact name="Rejected">
          <Moment at={version.rejected_at} />{' '}
          <DecidedBy action="agent.reject" {...decided} by={version.rejected_by ?? ''} />:{' '}
          <ForeignText text={version.reject_reason ?? ''} />
        </Fact>
      )}
      {version.drains_until !== null && (
        <Fact name="Drains until">
          <Moment at={version.drains_until} />
        </Fact>
      )}
    </dl>
  )
}

/** The version whose content counts again, where it is among those read. */
function contentOf({ registrations }: AgentDetail, { version, checksum }: VersionDetail): string {
  const source = registrations.find(one => one.version < version && one.checksum === checksum && everCounted(one))
  return source ? `, to the content of version ${source.version}` : ', to older content'
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function Changes({ agent, version }: { agent: AgentDetail; version: VersionDetail }) {
  const others = agent.registrations.filter(other => other.registration_id !== version.registration_id)
  if (others.length === 0) return <p class="quiet">The first version: there is nothing to compare with.</p>
  const compare = (against: string) => {
    location.hash = href(['agents', agent.app_id, agent.agent_id, version.registration_id], { against })
  }
  return (
    <section class="stack" aria-label="Changes">
      <header class="title">
        <h3>Changes</h3>
        <label class="against">
          against{' '}
          <select value={version.against?.registration_id ?? ''} onChange={event => compare(event.currentTarget.value)}>
            {version.against === null && <option value="">nothing</option>}
            {others.map(other => (
              <option key={other.registration_id} value={other.registration_id}>
                {named(other)}
              </option>
            ))}
          </select>
        </label>
      </header>
      {version.diff === null ? (
        <p class="quiet">Choose a version to compare with.</p>
      ) : (
        <ComponentsDiffView diff={version.diff} />
      )}
    </section>
  )
}

function named(version: RegistrationView): string {
  return `version ${version.version} (${versionState(version)})`
}
