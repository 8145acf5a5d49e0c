import * as z from 'zod/mini'
import type { ApprovalDetail, ApprovalView } from '../protocol/approval.ts'
import type { Act } from './act-dialog.tsx'
import { act, get, query } from './api.ts'
import { ArgumentsView, visibleLines } from './approval-arguments.tsx'
import { ApprovalFacts } from './approval-facts.tsx'
import { Badge, Id } from './badge.tsx'
import { type DigestCheck, useDigestCheck } from './digest-check.ts'
import { approvalDetailShape, approvalShape } from './execution-shapes.ts'
import { listOf } from './lists.ts'
import { Loaded, useLoad } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { EVERY, usePoll } from './poll.ts'
import { href } from './route.ts'
import { ActButton, ForScope } from './scope.tsx'
import { useSession } from './session.ts'
import { Countdown, Moment } from './time.tsx'
import { useAct } from './use-act.tsx'

/** One approval: what exactly is asked for, who may not decide, and the decision. */
export function ApprovalPage({ approval_id }: { approval_id: string }) {
  return (
    <>
      <p class="crumb">
        <a href={href(['approvals'])}>Approvals</a>
      </p>
      <ForScope scope="approve:steps">
        <Approval key={approval_id} approval_id={approval_id} />
      </ForScope>
    </>
  )
}

function Approval({ approval_id }: { approval_id: string }) {
  const path = `/admin/v1/approvals/${encodeURIComponent(approval_id)}`
  // Once: each read of arguments is audited. What has become of the approval is followed in the list, which has none.
  const load = useLoad(path, signal => get(path, approvalDetailShape, signal))
  return (
    <Loaded load={load} what="the approval">
      {detail => <OneApproval path={path} detail={detail} reload={load.reload} />}
    </Loaded>
  )
}

function OneApproval({ path, detail, reload }: { path: string; detail: ApprovalDetail; reload: () => void }) {
  const now = useFate(detail)
  const check = useDigestCheck(detail.arguments, detail.arguments_digest)
  return (
    <>
      <header class="title">
        <h1>
          <Id id={detail.agent_id} /> asks for <Id id={detail.workflow_step} />
        </h1>
        <Badge state={now.status} />
        {now.status === 'pending' && <Decide path={path} detail={detail} check={check} reload={reload} />}
      </header>
      <Decided approval={now} />
      <Warnings detail={detail} check={check} />
      <section class="stack" aria-label="Arguments">
        <h2>Arguments</h2>
        {detail.arguments === null ? (
          <p class="quiet">The step was asked for without arguments: the approval is for whatever it does.</p>
        ) : (
          <ArgumentsView text={detail.arguments} />
        )}
        <Digest detail={detail} check={check} />
      </section>
      <ApprovalFacts detail={detail} />
    </>
  )
}

/** What has become of it since its arguments were read. */
function useFate(detail: ApprovalDetail): ApprovalView {
  const { execution_id, approval_id, status } = detail
  const asked = query({ status: 'all', execution_id, limit: '200' })
  const path = `/admin/v1/approvals${asked}`
  const list = usePoll(path, signal => get(path, listOf(approvalShape), signal), status === 'pending' ? EVERY : 0)
  return list.data?.items.find(approval => approval.approval_id === approval_id) ?? detail
}

function Decide(props: { path: string; detail: ApprovalDetail; check: DigestCheck; reload: () => void }) {
  const { path, detail, check, reload } = props
  const { begin, dialog } = useAct(reload)
  const { isOwn, isUnread } = doubts(detail, useSession().acting_owner)
  return (
    <div class="acts">
      <ActButton
        scope="approve:steps"
        kind="main"
        off={isOwn || isUnread || check === 'different'}
        onClick={() => begin(decision(path, detail, 'grant'))}
      >
        Grant…
      </ActButton>
      <ActButton scope="approve:steps" off={isOwn} onClick={() => begin(decision(path, detail, 'deny'))}>
        Deny…
      </ActButton>
      {dialog}
    </div>
  )
}

/** What speaks against granting here. The server decides by itself who may. */
function doubts({ excluded_owners, arguments: text }: ApprovalDetail, acting_owner: string) {
  return { isOwn: excluded_owners.includes(acting_owner), isUnread: text !== null && !visibleLines(text).isWhole }
}

function decision(path: string, detail: ApprovalDetail, decided: 'grant' | 'deny'): Act {
  const { agent_id, workflow_step, arguments_digest } = detail
  const grants = decided === 'grant'
  const what = arguments_digest === null ? 'without arguments' : 'with exactly the arguments shown'
  return {
    title: `${grants ? 'Grant' : 'Deny'} ${workflow_step}`,
    effect: (
      <>
        {grants
          ? `${agent_id} may enter this step once, ${what}, with any right that the step opens.`
          : `${agent_id} does not get this step with these arguments in this execution.`}
        {arguments_digest !== null && (
          <>
            {' Digest: '}
            <Id id={arguments_digest} />
          </>
        )}
      </>
    ),
    confirm: grants ? 'Grant' : 'Deny',
    danger: !grants,
    reason: true,
    run: async ({ reason }, key) => {
      await act(path, { decision: decided, arguments_digest, reason }, z.unknown(), key)
      return grants ? `${workflow_step} is granted: ${agent_id} may enter it once.` : `${workflow_step} is denied.`
    },
  }
}

function Decided({ approval }: { approval: ApprovalView }) {
  const { status, decided_at, decided_by, decision_reason, consumed_at, expires_at } = approval
  if (status === 'expired') return <p class="note">Nobody decided while the execution was open.</p>
  if (status === 'pending') {
    return (
      <p class="note wait">
        The agent waits. It can be decided for <Countdown until={expires_at} />.
      </p>
    )
  }
  return (
    <p class={status === 'granted' ? 'note good' : 'note bad'}>
      {status === 'granted' ? 'Granted' : 'Denied'} {decided_at !== null && <Moment at={decided_at} />} by{' '}
      <Id id={decided_by ?? ''} />: <ForeignText text={decision_reason ?? ''} />
      {status === 'granted' && consumed_at === null && ' The step was not entered with it yet.'}
      {consumed_at !== null && (
        <>
          {' '}
          Used <Moment at={consumed_at} />.
        </>
      )}
    </p>
  )
}

function Warnings({ detail, check }: { detail: ApprovalDetail; check: DigestCheck }) {
  const { acting_owner } = useSession()
  const { isOwn, isUnread } = doubts(detail, acting_owner)
  return (
    <>
      {check === 'different' && (
        <p class="note bad" role="alert">
          The digest is not that of what is shown here. Do not grant it, and tell whoever runs this server.
        </p>
      )}
      {detail.hidden_characters && (
        <p class="note wait">
          <span class="warning-code">hidden-characters</span> The arguments have text that does not show as it is; every
          such character is marked below.
        </p>
      )}
      {isUnread && (
        <p class="note bad">
          So much is hidden in the arguments that not all of it can be shown: deny it, for nobody can read it.
        </p>
      )}
      {isOwn && (
        <p class="note">
          You act for <Id id={acting_owner} />, who has a part in what is asked: somebody else decides.
        </p>
      )}
    </>
  )
}

function Digest({ detail: { arguments_digest }, check }: { detail: ApprovalDetail; check: DigestCheck }) {
  if (arguments_digest === null) return null
  return (
    <dl>
      <dt>Digest</dt>
      <dd>
        <Id id={arguments_digest} />
        <p class="quiet">
          {check === 'same' && 'This page computed the same from what it shows; the token will carry it.'}
          {check === 'unknown' && 'The token will carry it. This page could not compute it itself.'}
        </p>
      </dd>
    </dl>
  )
}
