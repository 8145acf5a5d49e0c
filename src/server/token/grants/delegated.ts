import { delegationRefused } from '../../../protocol/delegation.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import type { AgentGrantRequest } from '../../../protocol/token-request.ts'
import type { Client } from '../../store/clients.ts'
import { type ProvenDelegation, proveDelegation } from '../delegation.ts'
import type { PassContext } from '../known-records.ts'

export type ReadDelegation = { readonly delegation?: ProvenDelegation; readonly refused?: OAuthError }

/** What a request's assertion proves, or why it does not: that is answered in its own row (protocol.md section 6). */
export async function readDelegation(
  ctx: PassContext,
  { delegation_assertion, workflow }: AgentGrantRequest,
  asked: { readonly client: Client; readonly agent_id: string; readonly jkt: string | undefined },
): Promise<ReadDelegation> {
  if (delegation_assertion === undefined) return {}
  try {
    const { client, ...presented } = asked
    const { client_id, policies } = client
    const delegation = await proveDelegation(ctx, delegation_assertion, { client_id, ...presented })
    const refused = misfitOf(delegation, workflow) ?? assertedMisfit(delegation, policies)
    return refused ? { refused } : { delegation }
  } catch (error) {
    if (error instanceof OAuthError && error.code === 'delegation_unauthorized') return { refused: error }
    throw error
  }
}

/**
 * Makes what rethrows the refusal of a step. Where the step is not the agent's, and the assertion that should have
 * lent it was refused, that is what the caller must mend.
 */
export function refusedOver(refused: OAuthError | undefined): (error: unknown) => never {
  return error => {
    throw refused && error instanceof OAuthError && error.reason === 'step_of_other_agent' ? refused : error
  }
}

/** Why a delegation is none of what was asked for: another step, workflow or execution. */
function misfitOf(
  { parent, workflow_step }: ProvenDelegation,
  workflow: AgentGrantRequest['workflow'],
): OAuthError | undefined {
  const { execution_id = parent.execution_id } = workflow ?? {}
  if (execution_id !== parent.execution_id) return delegationRefused('delegation_of_other_execution')
  if ((workflow?.workflow_step ?? null) !== workflow_step) return delegationRefused('delegation_of_other_step')
  if (workflow && workflow.workflow_id !== parent.workflow_id) {
    return delegationRefused('delegation_of_other_workflow')
  }
  return undefined
}

/**
 * Asserted mode knows no execution: what was recorded in one, with its ceilings and its end, is not carried on by a
 * caller's word (ADR 18).
 */
function assertedMisfit(
  { parent, within_step }: ProvenDelegation,
  { workflow_state }: Client['policies'],
): OAuthError | undefined {
  if (workflow_state !== 'asserted' || (within_step && parent.execution_id === null)) return undefined
  return delegationRefused('delegation_of_recorded')
}
