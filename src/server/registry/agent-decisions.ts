import type { RegistrationAnswer, RejectVersion } from '../../protocol/agent.ts'
import { checksumsEqual } from '../../protocol/checksum.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { type Agent, lockAgent } from '../store/agents.ts'
import { type Client, findClient } from '../store/clients.ts'
import { rejectRegistration, retireRegistration } from '../store/registration-decisions.ts'
import { findRegistration, type RegistrationRow } from '../store/registrations.ts'
import type { Outcome } from './act.ts'

/**
 * An agent that something is decided about, its row locked until the transaction ends, with its client. What was
 * revoked is final. Throws Problem `not_found`, `conflict`.
 */
export async function agentToDecide(tx: Context, name: AgentName): Promise<{ agent: Agent; client: Client }> {
  const agent = await lockAgent(tx, name.client_id, name.agent_id)
  const client = await findClient(tx, name.client_id)
  if (!agent || !client) throw new Problem('not_found', 'The client has no agent of this agent_id.')
  if (agent.status === 'revoked' || client.status !== 'active')
    throw conflict('The agent or its client was revoked, which is final; register another agent.', 'revoked')
  return { agent, client }
}

/** A version of this agent and no other. Throws Problem `not_found`. */
export async function versionOf(tx: Context, name: AgentName, registration_id: string): Promise<RegistrationRow> {
  const version = await findRegistration(tx, registration_id)
  if (version?.client_id === name.client_id && version.agent_id === name.agent_id) return version
  throw new Problem('not_found', 'There is no such version of this agent.')
}

/** A decision is about content that somebody looked at. Throws Problem `conflict`. */
export function checkSameContent(version: RegistrationRow, checksum: string): void {
  if (checksumsEqual(checksum.replace(/^sha256:/, ''), version.checksum)) return
  throw conflict('The checksum is not that of this version; look at it again.', 'other_checksum')
}

/**
 * Turns down a pending version, inside `act`: it stays readable, as `retired` with `rejected_at` and the reason, which the
 * command line and the console call rejected. Whoever proposed it may withdraw it so: stopping takes one person. The same
 * content may be proposed again.
 * Throws Problem `not_found`, `conflict`.
 */
export async function reject(
  tx: Context,
  caller: Caller,
  name: AgentName,
  { registration_id, checksum, reason }: RejectVersion,
): Promise<Outcome<RegistrationAnswer>> {
  await agentToDecide(tx, name)
  const version = await versionOf(tx, name, registration_id)
  checkSameContent(version, checksum)
  const by = { rejected_at: tx.now(), rejected_by: caller.sub, reject_reason: reason }
  if (!(await rejectRegistration(tx, registration_id, by)))
    throw conflict('The version is not pending any more; "remit agent show" says what became of it.', 'not_pending')
  return ended(version, 'rejected', { reason })
}

/**
 * Ends an active or draining version, inside `act` with the exclusive gate as its `before`: once it has answered,
 * nothing of it is minted on any node. Its tokens stay active until they expire; revoking the version kills those too.
 * Throws Problem `not_found`, `conflict`.
 */
export async function retire(
  tx: Context,
  name: AgentName,
  { registration_id }: { registration_id: string },
): Promise<Outcome<RegistrationAnswer>> {
  await agentToDecide(tx, name)
  const version = await versionOf(tx, name, registration_id)
  if (version.status === 'pending') throw conflict('The version is pending: reject it instead.', 'pending')
  if (!(await retireRegistration(tx, registration_id)))
    throw conflict('The version mints nothing any more; see "remit agent show" for those that do.', 'not_minting')
  return ended(version, 'retired', { was: version.status })
}

export function conflict(detail: string, reason: string): Problem {
  return new Problem('conflict', detail, reason)
}

function ended(version: RegistrationRow, status: 'rejected' | 'retired', details: object): Outcome<RegistrationAnswer> {
  const { client_id, agent_id, registration_id, checksum } = version
  const named = { registration_id, checksum, version: version.version }
  return {
    status: 200,
    body: { agent_id, ...named, status },
    audit: { client_id, agent_id, details: { ...named, ...details } },
  }
}
