import type { Intent } from '../../protocol/claims.ts'
import { chainCommitment, sequenceHash } from '../../protocol/sequence-hash.ts'
import type { AgentGrantRequest } from '../../protocol/token-request.ts'
import type { JudgedStep } from '../registry/recorded-step.ts'
import type { StepAuthorization } from './grants/workflow.ts'

type Known = {
  readonly request: AgentGrantRequest
  readonly agent_id: string
  /** Subject names of the server's own record. */
  readonly chain: readonly string[]
  /** Bare ids: the same, or in asserted mode the caller's word. */
  readonly ids: readonly string[]
  /** Whether a chain that was sent entered the token. */
  readonly believes: boolean
  readonly step: StepAuthorization
  readonly initiated_by: string
}

/** The `intent` of protocol.md section 7, and how much of it the server knows itself. */
export function intentOf({ request, agent_id, chain, ids, believes, step, initiated_by }: Known): Intent {
  const { workflow, entry } = step
  const asserted = !entry && (workflow !== undefined || believes)
  const steps = workflow ? [...(request.completed_steps ?? []), workflow.workflow_step] : []
  return {
    ...(workflow && { workflow_id: workflow.workflow_id, workflow_step: workflow.workflow_step }),
    executed_by: agent_id,
    delegation_chain: sequenceHash(ids),
    step_sequence_hash: sequenceHash(entry ? entry.judged.sequence : steps),
    state: entry ? 'recorded' : asserted ? 'asserted' : 'none',
    // A chain on the caller's word never enters the commitment (section 6).
    chain_commitment: chainCommitment(chain),
    initiated_by,
    ...(entry && {
      execution_id: entry.execution_id,
      ...(entry.intent_digest !== null && { intent_digest: entry.intent_digest }),
      ...approvalClaim(entry.judged),
    }),
  }
}

/** The same intent as the write found it behind the execution's lock. */
export function enteredIntent(intent: Intent, entered: { execution_id: string; judged: JudgedStep }): Intent {
  const { approval: _before, ...rest } = intent
  return {
    ...rest,
    execution_id: entered.execution_id,
    step_sequence_hash: sequenceHash(entered.judged.sequence),
    ...approvalClaim(entered.judged),
  }
}

function approvalClaim({ approval }: JudgedStep): Pick<Intent, 'approval'> {
  if (approval === undefined || typeof approval === 'string') return {}
  const { approval_id: id, arguments_digest } = approval
  return { approval: { id, ...(arguments_digest !== null && { arguments_digest }) } }
}
