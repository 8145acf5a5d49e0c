import type { ApproveVersion, RegistrationAnswer } from '../../protocol/agent.ts'
import { hasCounted } from '../../protocol/rollback-target.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findAgentKeys, insertAgentKeys, removeOtherKeys } from '../store/agent-keys.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { updateGrant } from '../store/agents.ts'
import { activateRegistration, supersede } from '../store/registration-changes.ts'
import { listRegistrations, MOST_VALID, newestLiveVersion, type RegistrationRow } from '../store/registrations.ts'
import type { Outcome } from './act.ts'
import { grantChange, keyChange } from './agent-changes.ts'
import { agentToDecide, checkSameContent, conflict, versionOf } from './agent-decisions.ts'
import { checkFourEyes, registrants } from './four-eyes.ts'

/**
 * Approves one pending version, named by id and content (protocol.md sections 4 and 11), inside `act` with
 * the exclusive gate as its `before`: it counts at once, the one that counted drains as long as the version asked for,
 * its proposed keys and grant become the agent's, and nothing more is minted with a key that they replace.
 * The agent's row is locked throughout.
 * Throws Problem `not_found`, `conflict` where it is not pending, not this content, or not the newest, `forbidden`.
 */
export async function approveVersion(
  tx: Context,
  caller: Caller,
  name: AgentName,
  { registration_id, checksum }: ApproveVersion,
): Promise<Outcome<RegistrationAnswer>> {
  const { client_id, agent_id } = name
  const { agent, client } = await agentToDecide(tx, name)
  const version = await versionOf(tx, name, registration_id)
  if (version.status !== 'pending') throw notPending()
  checkSameContent(version, checksum)
  if ((await newestLiveVersion(tx, client_id, agent_id)) !== version.version) {
    throw conflict('A newer version has replaced this one; approve that.', 'replaced')
  }
  await checkFourEyes(tx, caller, version, client, await proposers(tx, version))
  // The policy may have become stricter while the version waited.
  const drain_seconds = Math.min(version.drain_seconds, client.policies.max_drain_seconds)
  const held = await findAgentKeys(tx, client_id, agent_id)
  await apply(tx, version, caller, drain_seconds)
  const { version: number, proposed_grant, proposed_keys } = version
  const named = { registration_id, checksum: version.checksum, version: number }
  const given = {
    ...grantChange(agent, proposed_grant),
    ...(proposed_keys && keyChange(held, { added: proposed_keys, kept: proposed_keys })),
  }
  return {
    status: 200,
    body: { agent_id, ...named, status: 'active' },
    audit: { client_id, agent_id, details: { ...named, drain_seconds, ...given } },
  }
}

/**
 * Who registered the versions before the first that counts: the keys and the grant that they proposed may have come down
 * to this one.
 */
async function proposers(tx: Context, version: RegistrationRow): Promise<readonly (string | null)[]> {
  const { client_id, agent_id, proposed_grant, proposed_keys, version: below } = version
  if (proposed_grant === null && proposed_keys === null) return []
  const older = await listRegistrations(tx, client_id, agent_id, { below, limit: MOST_VALID })
  if (older.some(hasCounted)) return []
  return (await Promise.all(older.map(one => registrants(tx, one)))).flat()
}

async function apply(tx: Context, version: RegistrationRow, caller: Caller, drain_seconds: number): Promise<void> {
  const { client_id, agent_id, registration_id, proposed_keys, proposed_grant } = version
  const now = tx.now()
  if (proposed_keys) {
    const jkts = proposed_keys.map(key => key.jkt)
    const bound = await insertAgentKeys(tx, client_id, agent_id, proposed_keys, now)
    if (!jkts.every(jkt => bound.has(jkt)))
      throw conflict(
        'A proposed key serves another agent now; reject this version and register one with another key.',
        'agent_key_taken',
      )
    await removeOtherKeys(tx, client_id, agent_id, jkts, now)
  }
  if (proposed_grant) await updateGrant(tx, client_id, agent_id, proposed_grant)
  await supersede(tx, { client_id, agent_id }, version.version, drain_seconds, now)
  const approval = { approved_at: now, approved_by: caller.sub }
  if (!(await activateRegistration(tx, registration_id, approval))) throw notPending()
}

function notPending() {
  return conflict('The version is not pending any more; "remit agent show" says what became of it.', 'not_pending')
}
