import type { z } from 'zod'
import type { suspendSchema } from '../../protocol/agent.ts'
import type { ResumptionAnswer, SuspensionAnswer } from '../../protocol/agent-acts.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type AgentName, agentKey } from '../store/agent-lists.ts'
import { resumeAgent, suspendAgent } from '../store/agents.ts'
import { endDelegations } from '../store/revocation-delegations.ts'
import { insertRevocations, liftRevocation, type RevocationRef } from '../store/revocations.ts'
import type { Outcome } from './act.ts'
import { agentToDecide } from './agent-decisions.ts'
import { checkOtherOwner } from './four-eyes.ts'

/**
 * Stops an agent for a while (protocol.md section 9), inside `act` with the exclusive gate as its `before`: nothing is
 * minted for it or under what it delegated, its tokens and all that was delegated from them are not active any more. Its
 * entry ends by itself; the state of the agent holds until it is resumed. One person is enough.
 * Throws Problem `not_found`, `conflict` where the agent is suspended or revoked already.
 */
export async function suspend(
  tx: Context,
  caller: Caller,
  name: AgentName,
  { reason }: z.output<typeof suspendSchema>,
): Promise<Outcome<SuspensionAnswer>> {
  const { client_id, agent_id } = name
  const { agent } = await agentToDecide(tx, name)
  const now = tx.now()
  const by = {
    suspended_by: caller.sub,
    suspended_owner: caller.acting_owner,
    suspended_at: now,
    suspend_reason: reason,
  }
  if (agent.status !== 'active' || !(await suspendAgent(tx, name, by))) {
    throw new Problem(
      'conflict',
      'The agent is suspended already; "remit agent show" says by whom and why.',
      'already_suspended',
    )
  }
  const entry: RevocationRef = { kind: 'agent', id: agentKey(name) }
  const act = { reason, revoked_by: caller.sub, now }
  await insertRevocations(tx, [entry], act)
  const covered = { kind: entry.kind, ids: [entry.id], holder: name }
  const { tokens } = await endDelegations(tx, covered, act, { for_good: false })
  const revoked = { agent: 1, token: tokens }
  return {
    status: 200,
    body: { client_id, agent_id, agent_status: 'suspended', revoked, suspended_at: now.toISOString() },
    audit: { client_id, agent_id, details: { reason, revoked } },
  }
}

/**
 * Lets a suspended agent mint again, inside `act` with the exclusive gate as its `before`. Takes back the entry of this
 * suspension and nothing else: the agent's own tokens that have not expired are active again, and what it had delegated
 * may be presented again; the tokens of others, and whatever was revoked for another reason, stay dead.
 * Throws Problem `not_found`, `conflict`, `forbidden` for the owner who suspended it and for the client's.
 */
export async function resume(tx: Context, caller: Caller, name: AgentName): Promise<Outcome<ResumptionAnswer>> {
  const { client_id, agent_id } = name
  const { agent, client } = await agentToDecide(tx, name)
  const { suspended_by, suspended_at, suspended_owner } = agent
  if (agent.status !== 'suspended')
    throw new Problem(
      'conflict',
      'The agent is not suspended, so that there is nothing to resume; see "remit agent show".',
      'not_suspended',
    )
  await checkOtherOwner(tx, caller, [suspended_owner, client.owner], {
    detail: 'Somebody else must resume it: the acting owner suspended the agent or owns its client.',
    reason: 'own_suspension',
  })
  await resumeAgent(tx, name)
  const now = tx.now()
  if (suspended_by !== null && suspended_at !== null) {
    const entry = { kind: 'agent', id: agentKey(name), revoked_by: suspended_by, revoked_at: suspended_at } as const
    await liftRevocation(tx, entry, now)
  }
  return {
    status: 200,
    body: { client_id, agent_id, agent_status: 'active', resumed_at: now.toISOString() },
    audit: { client_id, agent_id, details: { suspended_by, suspended_at: suspended_at?.toISOString() ?? null } },
  }
}
