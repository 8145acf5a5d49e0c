import { OAuthError } from '../../protocol/errors.ts'
import type { WorkflowStep } from '../../protocol/workflow.ts'
import { type ExecutionRecord, isProtected, type StepGraph } from './step-record.ts'

/** An approval of the step as far as a mint must know it. */
export type StepApproval = {
  readonly approval_id: string
  readonly arguments_digest: string | null
  readonly status: 'pending' | 'granted' | 'denied'
  /** The entry of the step that consumed it. */
  readonly entry: number | null
}

/**
 * Why a protected step may not be minted for: no approval was asked for yet, or none that waits was decided; only a digest
 * came; of several that its entry took none is named; somebody denied it.
 */
export type Unapproved = 'missing' | 'digest_alone' | 'several' | 'denied'

type Asked = {
  readonly graph: StepGraph
  readonly record: ExecutionRecord
  /** Of this step. */
  readonly approvals: readonly StepApproval[]
  readonly arguments_digest?: string | undefined
  readonly has_arguments: boolean
}

/**
 * By what approval a step may be entered or, within `entry`, minted for again (protocol.md section 6).
 * @returns undefined where the step needs none
 */
export function approvalOf(
  { graph, record, approvals, arguments_digest, has_arguments }: Asked,
  step: WorkflowStep,
  entry: number | undefined,
): StepApproval | Unapproved | undefined {
  const isAsked = (approval: StepApproval) => approval.arguments_digest === (arguments_digest ?? null)
  const consumed = approvals.filter(approval => approval.entry !== null && approval.entry === entry)
  // A renewal keeps what its entry was approved for: by its digest, or the one there is.
  const [only, ...others] = consumed
  const kept = arguments_digest === undefined && others.length === 0 ? only : consumed.find(isAsked)
  if (kept) return kept
  const same = approvals.filter(isAsked)
  const granted = same.find(approval => approval.status === 'granted' && approval.entry === null)
  if (!granted && !isProtected(graph, record, step)) return undefined
  // A digest alone serves renewals only: neither opens an approval nor is the first to use one.
  if (arguments_digest !== undefined && !has_arguments) return 'digest_alone'
  if (granted) return granted
  // An approval without arguments is for whatever the step does: who only forgot to name one does not ask for that.
  if (arguments_digest === undefined && others.length > 0) return 'several'
  return same.some(approval => approval.status === 'denied') ? 'denied' : 'missing'
}

/** What is answered for it; a missing one has an answer that names the approval, or the execution that it needs. */
export function unapproved(why: Exclude<Unapproved, 'missing'>): OAuthError {
  const code = 'workflow_step_unauthorized'
  switch (why) {
    case 'denied':
      return new OAuthError(code, 'The approval of this step was denied.', { ajwt_error: 'approval_denied' })
    case 'digest_alone':
      return new OAuthError(code, 'An approval needs the arguments themselves; send them.', {
        ajwt_error: 'approval_required',
        reason: 'arguments_missing',
      })
    case 'several':
      return new OAuthError(
        code,
        'The step was entered with several approvals; send the arguments of one, or their digest.',
        { ajwt_error: 'approval_required', reason: 'approval_not_named' },
      )
  }
}
