import * as z from 'zod/mini'
import { CAUSE_TEXTS } from '../protocol/workflow-causes.ts'
import type { WorkflowDetail } from '../protocol/workflow-views.ts'
import type { Act } from './act-dialog.tsx'
import { act, get } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { DecidedBy } from './decided-by.tsx'
import { Empty, Loaded, useLoad } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { OwnHint } from './own-hint.tsx'
import { href } from './route.ts'
import { ActButton, ForScope } from './scope.tsx'
import { workflowShape } from './shapes.ts'
import { StepTable } from './step-table.tsx'
import { Moment } from './time.tsx'
import { useAct } from './use-act.tsx'
import { WorkflowDrawing } from './workflow-drawing.tsx'
import { compareSteps } from './workflow-graph.ts'

type Version = WorkflowDetail['versions'][number]

/** One workflow: its versions, and one of them drawn. */
export function WorkflowPage(props: { client_id: string; workflow_id: string; version: number }) {
  return (
    <>
      <p class="crumb">
        <a href={href(['workflows'])}>Workflows</a> / <Id id={props.client_id} />
      </p>
      <ForScope scope="approve:agents">
        <Workflow {...props} />
      </ForScope>
    </>
  )
}

function Workflow({ client_id, workflow_id, version }: Parameters<typeof WorkflowPage>[0]) {
  const path = `/admin/v1/workflows/${client_id}/${workflow_id}`
  const load = useLoad(path, signal => get(path, workflowShape, signal))
  return (
    <Loaded load={load} what="the workflow">
      {workflow => {
        const chosen = chosenVersion(workflow, version)
        return (
          <>
            <header class="title">
              <h1>
                <Id id={workflow.workflow_id} />
              </h1>
              <Badge state={workflow.status} />
            </header>
            <VersionTabs workflow={workflow} chosen={chosen} />
            {chosen === undefined ? (
              <Empty>This workflow has no such version.</Empty>
            ) : (
              <OneVersion workflow={workflow} chosen={chosen} path={path} reload={load.reload} />
            )}
          </>
        )
      }}
    </Loaded>
  )
}

function VersionTabs({ workflow, chosen }: { workflow: WorkflowDetail; chosen: Version | undefined }) {
  return (
    <nav class="versions across" aria-label="Versions">
      {workflow.versions.map(({ version, status }) => (
        <a
          key={version}
          href={href(['workflows', workflow.client_id, workflow.workflow_id, String(version)])}
          aria-current={version === chosen?.version ? 'true' : undefined}
        >
          <span class="version-number">v{version}</span>
          <Badge state={status} />
        </a>
      ))}
    </nav>
  )
}

function OneVersion(props: { workflow: WorkflowDetail; chosen: Version; path: string; reload: () => void }) {
  const { workflow, chosen, path, reload } = props
  const { begin, dialog } = useAct(reload)
  const before = versionBefore(workflow, chosen)
  const steps = compareSteps(chosen.steps, before?.steps)
  const changed = steps.filter(({ change }) => change !== 'same').length
  return (
    <section class="stack" aria-label={`Version ${chosen.version}`}>
      <header class="title">
        <h2>Version {chosen.version}</h2>
        <Badge state={chosen.status} />
        {chosen.status === 'pending' && (
          <div class="acts">
            <OwnHint owners={[chosen.registered_owner, workflow.owner]}>
              who neither registered it nor owns the client
            </OwnHint>
            {chosen.pending_for.every(({ cause }) => cause !== 'replaced') && (
              <ActButton scope="approve:agents" kind="main" onClick={() => begin(approve(path, chosen, workflow))}>
                Approve
              </ActButton>
            )}
            <ActButton scope="approve:agents" onClick={() => begin(reject(path, chosen))}>
              Reject
            </ActButton>
            {dialog}
          </div>
        )}
      </header>
      <Causes version={chosen} />
      <Origin workflow={workflow} version={chosen} />
      {before && (
        <p class={chosen.status === 'pending' ? 'note wait' : 'quiet'}>
          {changed === 0 ? 'No step differs' : `${changed} ${changed === 1 ? 'step differs' : 'steps differ'}`} from
          version {before.version} ({before.status}); what changed is marked in the drawing and in the table.
        </p>
      )}
      <WorkflowDrawing steps={steps} label={`Graph of ${workflow.workflow_id}, version ${chosen.version}`} />
      <p class="quiet legend">
        A solid arrow is a dependency; a faint line is the order of the definition. A pointed box is a gate; a thick
        border is a required step.
      </p>
      <StepTable steps={steps} compared={before !== undefined} />
    </section>
  )
}

function Causes({ version: { status, pending_for } }: { version: Version }) {
  if (status !== 'pending' || pending_for.length === 0) return null
  return (
    <section class="note wait" aria-label="Why it waits">
      <p>
        <strong>Waits for approval</strong>:
      </p>
      <ul class="warnings">
        {pending_for.map(({ cause, step_id }) => (
          <li key={`${cause} ${step_id}`}>
            {step_id !== null && (
              <>
                <Id id={step_id} />:{' '}
              </>
            )}
            {CAUSE_TEXTS[cause]}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Origin({ workflow: { client_id, workflow_id }, version }: { workflow: WorkflowDetail; version: Version }) {
  const { registered_at, registered_by, registered_owner, approved_at, approved_by, rejected_at, rejected_by } = version
  const decided = { client_id, about: { workflow_id, version: version.version } }
  return (
    <p class="origin">
      Registered <Moment at={registered_at} /> by <Id id={registered_by} /> for <Id id={registered_owner} />.
      {approved_at !== null && approved_by !== null && (
        <>
          {' '}
          Approved <Moment at={approved_at} /> <DecidedBy action="workflow.approve" {...decided} by={approved_by} />.
        </>
      )}
      {rejected_at !== null && (
        <>
          {' '}
          Rejected <Moment at={rejected_at} />{' '}
          <DecidedBy action="workflow.reject" {...decided} by={rejected_by ?? ''} />:{' '}
          <ForeignText text={version.reject_reason ?? ''} />
        </>
      )}
    </p>
  )
}

/** The one named, else the one that waits, else the one that counts. */
function chosenVersion({ versions, version: counts }: WorkflowDetail, asked: number): Version | undefined {
  if (asked > 0) return versions.find(({ version }) => version === asked)
  const waits = versions.find(({ status }) => status === 'pending')
  return waits ?? versions.find(({ version }) => version === counts) ?? versions[0]
}

/** What it is compared with: the version that counts, for that one the version before it. */
function versionBefore({ versions, version: counts }: WorkflowDetail, chosen: Version): Version | undefined {
  if (chosen.version !== counts) return versions.find(({ version }) => version === counts)
  return versions.find(({ version, status }) => version < chosen.version && status === 'superseded')
}

function approve(path: string, { version }: Version, { client_id, workflow_id, versions }: WorkflowDetail): Act {
  const active = versions.find(({ status }) => status === 'active')
  return {
    title: `Approve version ${version} of ${workflow_id}`,
    effect: (
      <>
        Version {version} of <Id id={`${client_id}/${workflow_id}`} /> counts for every request from now on.
        {active && ` Version ${active.version} counts no more.`}
      </>
    ),
    confirm: 'Approve',
    run: async (_fields, key) => {
      await act(`${path}/approve`, { version }, z.unknown(), key)
      return `Version ${version} is approved and counts now.`
    },
  }
}

function reject(path: string, { version }: Version): Act {
  return {
    title: `Reject version ${version}`,
    effect: `Version ${version} never counts; the version that counts now stays.`,
    confirm: 'Reject',
    danger: true,
    reason: true,
    run: async ({ reason }, key) => {
      await act(`${path}/reject`, { version, reason }, z.unknown(), key)
      return `Version ${version} is rejected.`
    },
  }
}
