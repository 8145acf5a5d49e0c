import type { Policies } from '../../../protocol/client.ts'
import { delegationRefused } from '../../../protocol/delegation.ts'
import { bareId } from '../../../protocol/names.ts'
import type { AgentGrantRequest } from '../../../protocol/token-request.ts'
import type { Context } from '../../context.ts'
import { checkAssertedChain } from '../../registry/workflow-step.ts'
import { knownAgentIds } from '../../store/agents.ts'

/**
 * Row 9 of protocol.md section 6: the chain of the server's own record. One that is sent is never believed, but must
 * agree; only in asserted mode without an assertion it is the caller's word. Throws `delegation_unauthorized`.
 */
export function recordedChain(
  { chain: sent, agent_id }: AgentGrantRequest,
  chain: readonly string[],
  { workflow_state }: Pick<Policies, 'workflow_state'>,
): readonly string[] {
  if (sent === undefined || (workflow_state === 'asserted' && chain.length === 1)) return chain
  const whole = sent.at(-1) === agent_id ? sent : [...sent, agent_id]
  const recorded = chain.map(bareId)
  if (whole.length === recorded.length && whole.every((id, index) => id === recorded[index])) return chain
  throw delegationRefused('chain_not_recorded')
}

/** The chain in asserted mode: believed as far as its form goes, and the token says so. Throws as `recordedChain`. */
export async function assertedChain(
  ctx: Context,
  request: AgentGrantRequest,
  client_id: string,
): Promise<readonly string[]> {
  if (request.chain === undefined) return [request.agent_id]
  const known = await knownAgentIds(ctx, client_id, request.chain)
  return checkAssertedChain(request.chain, request.agent_id, known)
}
