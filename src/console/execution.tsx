import type { ExecutionView } from '../protocol/execution.ts'
import { act, get } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { DelegationDrawing } from './delegation-drawing.tsx'
import { ApprovalTable, DelegationTable, TokenTable } from './execution-parts.tsx'
import { executionShape } from './execution-shapes.ts'
import { ExecutionStepTable, StepsDrawing } from './execution-steps.tsx'
import { Loaded } from './load.tsx'
import { EVERY, usePoll } from './poll.ts'
import { saidOfRevocation } from './revocation-answer.ts'
import { revocationAnswerShape } from './revocation-shapes.ts'
import { href } from './route.ts'
import { ActButton, ForScope } from './scope.tsx'
import { Countdown, Moment } from './time.tsx'
import { useAct } from './use-act.tsx'

/** One execution as it runs: its steps drawn, its tokens, delegations and approvals. */
export function ExecutionPage({ execution_id }: { execution_id: string }) {
  return (
    <>
      <p class="crumb">
        <a href={href(['executions'])}>Executions</a>
      </p>
      <ForScope scope="audit:read">
        <Execution key={execution_id} execution_id={execution_id} />
      </ForScope>
    </>
  )
}

function Execution({ execution_id }: { execution_id: string }) {
  const path = `/admin/v1/executions/${encodeURIComponent(execution_id)}`
  const load = usePoll(path, signal => get(path, executionShape, signal), EVERY)
  return (
    <Loaded load={load} what="the execution">
      {execution => (
        <>
          <header class="title">
            <h1>
              <Id id={execution.execution_id} />
            </h1>
            <Badge state={execution.status} />
            <RevokeExecution execution={execution} reload={load.reload} />
          </header>
          <Facts execution={execution} />
          <Steps execution={execution} />
          <Delegations execution={execution} />
          <section class="stack" aria-label="Approvals">
            <h2>Approvals</h2>
            <ApprovalTable approvals={execution.approvals} />
          </section>
          <section class="stack" aria-label="Tokens">
            <h2>Tokens</h2>
            <TokenTable execution={execution} />
          </section>
        </>
      )}
    </Loaded>
  )
}

function RevokeExecution({ execution, reload }: { execution: ExecutionView; reload: () => void }) {
  const { begin, dialog } = useAct(reload)
  const { execution_id: id, status } = execution
  function revoke(): void {
    begin({
      title: 'Revoke the execution',
      effect:
        'Nothing is minted in it any more, and all its tokens die at once and for good, those that were delegated from them too.',
      confirm: 'Revoke the execution',
      danger: true,
      reason: true,
      typed: id,
      run: async ({ reason }, key) => {
        const body = { kind: 'execution', id, reason }
        return saidOfRevocation(await act('/admin/v1/revocations', body, revocationAnswerShape, key))
      },
    })
  }
  if (status === 'revoked') return null
  return (
    <div class="acts">
      <ActButton scope="revoke" kind="danger" onClick={revoke}>
        Revoke execution
      </ActButton>
      {dialog}
    </div>
  )
}

function Facts({ execution }: { execution: ExecutionView }) {
  const { client_id, workflow_id, workflow_version, initiated_by, intent_digest, limits } = execution
  return (
    <dl class="card">
      <dt>Workflow</dt>
      <dd>
        <Id id={client_id} />
        <span class="quiet"> / </span>
        <a href={href(['workflows', client_id, workflow_id, String(workflow_version)])}>
          <Id id={workflow_id} /> version {workflow_version}
        </a>
      </dd>
      <dt>Initiated by</dt>
      <dd>
        <Id id={initiated_by} />
      </dd>
      <dt>Opened</dt>
      <dd>
        <Moment at={execution.opened_at} /> by <Id id={execution.opened_by} />
      </dd>
      <dt>{execution.ended_at === null ? 'Expires' : 'Ended'}</dt>
      <dd>
        <Moment at={execution.ended_at ?? execution.expires_at} />
        {execution.status === 'open' && (
          <>
            {', in '}
            <Countdown until={execution.expires_at} />
          </>
        )}
      </dd>
      {intent_digest !== null && (
        <>
          <dt>Intent digest</dt>
          <dd>
            <Id id={intent_digest} />
          </dd>
        </>
      )}
      <dt>Tokens</dt>
      <dd>
        {execution.tokens_minted} of {limits.max_nodes} minted; {limits.max_tokens} for a step while it is entered,{' '}
        {limits.max_children} delegations from one token
      </dd>
    </dl>
  )
}

function Steps({ execution }: { execution: ExecutionView }) {
  const { workflow_id, workflow_version, steps, edges, status } = execution
  return (
    <section class="stack" aria-label="Steps">
      <h2>Steps</h2>
      {status !== 'open' && <p class="note">The execution has ended: nothing more is entered or granted in it.</p>}
      <StepsDrawing
        steps={steps}
        edges={edges}
        label={`Graph of ${workflow_id}, version ${workflow_version}, as far as it came`}
      />
      <p class="quiet legend">
        A solid arrow is a dependency; a faint line is the order of the definition. A pointed box is a gate; a thick
        border is a required step. Entered means authorised by a token, not performed.
      </p>
      <ExecutionStepTable steps={steps} edges={edges} />
    </section>
  )
}

function Delegations({ execution }: { execution: ExecutionView }) {
  const { delegations, tokens } = execution
  if (delegations.length === 0) return null
  return (
    <section class="stack" aria-label="Delegations">
      <h2>Delegations</h2>
      <DelegationDrawing delegations={delegations} tokens={tokens} />
      <DelegationTable delegations={delegations} />
    </section>
  )
}
