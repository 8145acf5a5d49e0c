import { checksumsEqual } from '../../../protocol/checksum.ts'
import type { DpopProof } from '../../../protocol/dpop.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import { agentSubject } from '../../../protocol/names.ts'
import { chainCommitment, sequenceHash } from '../../../protocol/sequence-hash.ts'
import type { AgentGrantRequest } from '../../../protocol/token-request.ts'
import type { Context } from '../../context.ts'
import { checkShim } from '../../registry/shim-releases.ts'
import { checkAssertedChain } from '../../registry/workflow-step.ts'
import { findAgent, knownAgentIds } from '../../store/agents.ts'
import type { Client } from '../../store/clients.ts'
import { validRegistrations } from '../../store/registrations.ts'
import type { Authorization } from '../authorization.ts'
import { onlyRegisteredKey, provePossession } from '../possession.ts'
import { registeredTarget } from '../target.ts'
import { authorizeStep } from './workflow.ts'

/**
 * The agent grant, rows 4 to 10 of protocol.md section 6 in their order: agent, checksum, possession, step, chain,
 * audience and scope. Reads only.
 */
export async function agentGrant(
  ctx: Context,
  request: AgentGrantRequest,
  client: Client,
  sent: { readonly proof: DpopProof | undefined; readonly shim: string | undefined },
): Promise<Authorization> {
  const { client_id } = client
  const { proof } = sent
  const agent = await findAgent(ctx, client_id, request.agent_id)
  if (agent?.status !== 'active') {
    throw new OAuthError('unknown_agent', 'The client has no active agent of this agent_id; register it first.', {
      ajwt_error: 'unknown_agent',
      reason: agent ? 'agent_not_active' : 'unknown_agent',
    })
  }
  const { agent_id } = agent
  const versions = await validRegistrations(ctx, client_id, agent_id, ctx.now())
  const version = versions.find(candidate => checksumsEqual(candidate.checksum, request.computed_checksum))
  if (!version) {
    throw new OAuthError('agent_checksum_mismatch', 'The checksum is not that of a valid version of the agent.', {
      ajwt_error: 'agent_checksum_mismatch',
    })
  }
  const { key_statement } = request
  const possession = await provePossession(ctx, client, agent_id, { proof, key_statement })
  const shim = await checkShim(ctx, client, sent.shim)
  const step = await authorizeStep(ctx, request, client, agent)
  const chain = await assertedChain(ctx, request, client_id)
  const ceilings = [client.access, agent.access, ...(step.access ? [step.access] : [])]
  const target = await registeredTarget(ctx, request.resource, request.scope, ceilings)
  const unboundDraft = !proof && target.token_profile === 'draft'
  const sub = agentSubject(client_id, agent_id)
  const steps = step.workflow ? [...(request.completed_steps ?? []), step.workflow.workflow_step] : []
  const asserted = step.workflow !== undefined || request.chain !== undefined
  return {
    grant: 'agent',
    client,
    target,
    scope: request.scope,
    sub,
    sub_profile: 'ai_agent',
    agent: {
      agent_id,
      registration_id: version.registration_id,
      version: version.version,
      checksum: version.checksum,
      ...possession,
      ...(shim && { shim }),
      ...(step.workflow && { workflow: step.workflow }),
      ...(unboundDraft && { registered_key: await onlyRegisteredKey(ctx, client_id, agent_id) }),
      intent: {
        ...(step.workflow && { workflow_id: step.workflow.workflow_id, workflow_step: step.workflow.workflow_step }),
        executed_by: agent_id,
        delegation_chain: sequenceHash(chain),
        step_sequence_hash: sequenceHash(steps),
        state: asserted ? 'asserted' : 'none',
        // A chain on the caller's word never enters the commitment: until delegation is signed, the agent is the root.
        chain_commitment: chainCommitment([sub]),
        initiated_by: sub,
      },
    },
  }
}

/** Row 9, asserted: believed as far as its form goes, and the token says so. */
async function assertedChain(ctx: Context, request: AgentGrantRequest, client_id: string): Promise<readonly string[]> {
  if (request.chain === undefined) return [request.agent_id]
  const known = await knownAgentIds(ctx, client_id, request.chain)
  return checkAssertedChain(request.chain, request.agent_id, known)
}
