import type { ApproveVersion, RegistrationAnswer } from '../../protocol/agent.ts'
import { checksumsEqual } from '../../protocol/checksum.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { insertAgentKeys, removeOtherKeys } from '../store/agent-keys.ts'
import { lockAgent, updateGrant } from '../store/agents.ts'
import { findClient } from '../store/clients.ts'
import { activateRegistration, retireOlder } from '../store/registration-changes.ts'
import { findRegistration, newestLiveVersion, type RegistrationRow } from '../store/registrations.ts'
import type { Outcome } from './act.ts'
import { checkFourEyes } from './four-eyes.ts'

/**
 * Approves one pending version, named by id and content (protocol.md sections 4 and 11), inside `act`: it counts at
 * once, the older ones end, its proposed keys and grant become the agent's. The agent's row is locked throughout.
 * Throws Problem `not_found`, `conflict` where it is not pending, not this content, or not the newest, `forbidden`.
 */
export async function approveVersion(
  tx: Context,
  caller: Caller,
  { client_id, agent_id }: { client_id: string; agent_id: string },
  { registration_id, checksum }: ApproveVersion,
): Promise<Outcome<RegistrationAnswer>> {
  const agent = await lockAgent(tx, client_id, agent_id)
  const client = await findClient(tx, client_id)
  const version = await findRegistration(tx, registration_id)
  if (!agent || !client || version?.client_id !== client_id || version.agent_id !== agent_id) {
    throw new Problem('not_found', 'There is no such version of this agent.')
  }
  if (agent.status === 'revoked' || client.status === 'revoked') throw conflict('The agent was revoked.', 'revoked')
  if (version.status !== 'pending') throw notPending()
  if (!checksumsEqual(checksum.replace(/^sha256:/, ''), version.checksum)) {
    throw conflict('The checksum is not that of this version; look at it again.', 'other_checksum')
  }
  if ((await newestLiveVersion(tx, client_id, agent_id)) !== version.version) {
    throw conflict('A newer version has replaced this one; approve that.', 'replaced')
  }
  await checkFourEyes(tx, caller, { registered_owner: version.registered_owner, owner: client.owner })
  await apply(tx, version, caller)
  const { version: number } = version
  return {
    status: 200,
    body: { agent_id, registration_id, checksum: version.checksum, version: number, status: 'active' },
    audit: { client_id, agent_id, details: { registration_id, checksum: version.checksum, version: number } },
  }
}

async function apply(tx: Context, version: RegistrationRow, caller: Caller): Promise<void> {
  const { client_id, agent_id, registration_id, proposed_keys, proposed_grant } = version
  const now = tx.now()
  if (proposed_keys) {
    const jkts = proposed_keys.map(key => key.jkt)
    const bound = await insertAgentKeys(tx, client_id, agent_id, proposed_keys, now)
    if (!jkts.every(jkt => bound.has(jkt)))
      throw conflict('A proposed key serves another agent now.', 'agent_key_taken')
    await removeOtherKeys(tx, client_id, agent_id, jkts, now)
  }
  if (proposed_grant) await updateGrant(tx, client_id, agent_id, proposed_grant)
  await retireOlder(tx, client_id, agent_id, version.version)
  const approval = { approved_at: now, approved_by: caller.sub }
  if (!(await activateRegistration(tx, registration_id, approval))) throw notPending()
}

function notPending(): Problem {
  return conflict('The version is not pending.', 'not_pending')
}

function conflict(detail: string, reason: string): Problem {
  return new Problem('conflict', detail, reason)
}
