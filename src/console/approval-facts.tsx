import type { ApprovalDetail } from '../protocol/approval.ts'
import { Id } from './badge.tsx'
import { AccessList } from './grant-list.tsx'
import { ForeignText } from './marked-text.tsx'
import { href } from './route.ts'
import { useHolds } from './session.ts'
import { Moment } from './time.tsx'

/** What an approval is about, and the whole of what it opens: not only what was asked for first. */
export function ApprovalFacts({ detail }: { detail: ApprovalDetail }) {
  const { client_id, workflow_id, workflow_step, action, scope, resource, step_access, execution_id, initiated_by } =
    detail
  return (
    <dl class="card">
      <dt>Client and workflow</dt>
      <dd>
        <Id id={client_id} />
        <span class="quiet"> / </span>
        <a href={href(['workflows', client_id, workflow_id])}>
          <Id id={workflow_id} />
        </a>
      </dd>
      <dt>Step</dt>
      <dd>
        <Id id={workflow_step} />
        {action !== null && (
          <>
            {': '}
            <ForeignText text={action} />
          </>
        )}
      </dd>
      <dt>First asked for</dt>
      <dd>
        <Id id={scope} /> <span class="quiet">at</span> <Id id={resource} />
      </dd>
      <dt>The step opens</dt>
      <dd>
        {step_access === null ? (
          'all that the agent may have: the step has no limit of its own'
        ) : (
          <AccessList access={step_access} />
        )}
      </dd>
      <dt>Execution</dt>
      <dd>
        <ExecutionLink execution_id={execution_id} />
      </dd>
      <dt>Initiated by</dt>
      <dd>
        <Id id={initiated_by} />
      </dd>
      <dt>Asked</dt>
      <dd>
        <Moment at={detail.opened_at} />
      </dd>
      <dt>Ends</dt>
      <dd>
        <Moment at={detail.expires_at} />, with the execution
      </dd>
      <dt>May not decide</dt>
      <dd class="ids">
        {detail.excluded_owners.map(owner => (
          <Id key={owner} id={owner} />
        ))}
      </dd>
    </dl>
  )
}

function ExecutionLink({ execution_id }: { execution_id: string }) {
  if (!useHolds('audit:read')) return <Id id={execution_id} />
  return (
    <a href={href(['executions', execution_id])}>
      <Id id={execution_id} />
    </a>
  )
}
