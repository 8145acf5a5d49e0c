import type { RegistrationAnswer, Rollback } from '../../protocol/agent.ts'
import { Problem } from '../../protocol/problem.ts'
import { hasCounted } from '../../protocol/rollback-target.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import type { Client } from '../store/clients.ts'
import { activateRegistration, supersede } from '../store/registration-changes.ts'
import { retireSameContent } from '../store/registration-decisions.ts'
import { findLiveByChecksum, newestVersion, type RegistrationRow, wasRevoked } from '../store/registrations.ts'
import type { Outcome } from './act.ts'
import { agentToDecide, checkSameContent, conflict, versionOf } from './agent-decisions.ts'
import { insertVersion } from './agent-version.ts'
import { drainAbove } from './ceiling.ts'
import { openComponents, openSealedText } from './components.ts'
import { checkFourEyes, registeringClient } from './four-eyes.ts'
import { anyHiddenText } from './hidden-text.ts'

/**
 * The content of an older version counts again, at once, as a new version (protocol.md section 4), inside `act`; the
 * one that counts now drains. Keys and grant stay as they are. One call by one person, for whoever is on call; but where
 * registering the same content would wait for an approval, this is that approval, and the owner of the client or of the
 * content cannot give it.
 * Throws Problem `not_found`, `invalid_request` for too long a drain, `conflict` for what never counted, was revoked or
 * counts now, `forbidden`.
 */
export async function rollback(
  tx: Context,
  caller: Caller,
  name: AgentName,
  { registration_id: from, checksum: looked_at, drain_seconds }: Rollback,
): Promise<Outcome<RegistrationAnswer>> {
  const { client_id, agent_id } = name
  const { client } = await agentToDecide(tx, name)
  const target = await versionOf(tx, name, from)
  checkSameContent(target, looked_at)
  await checkMayReturn(tx, target)
  const excess = drainAbove(client, drain_seconds)
  if (excess) throw new Problem('invalid_request', excess.sentence, excess.reason, { compared: excess.compared })
  await approveReturn(tx, caller, client, target)

  const { checksum, checksum_profile, content_digest, registered_owner, registered_client_owner } = target
  const registered_client = registeringClient(target)
  const version = (await newestVersion(tx, client_id, agent_id)) + 1
  const now = tx.now()
  // What still drains, or waits, with this content makes room in the index of live checksums.
  await retireSameContent(tx, name, checksum)
  const registration_id = await insertVersion(tx, await openSealedText(tx, from), {
    client_id,
    agent_id,
    version,
    checksum,
    checksum_profile,
    content_digest,
    status: 'pending',
    drain_seconds,
    drains_until: null,
    proposed_grant: null,
    proposed_keys: null,
    registered_at: now,
    registered_by: caller.sub,
    // Who wrote the content goes on answering for it: who brings it back does not make it another's.
    registered_owner,
    registered_client,
    registered_client_owner,
    approved_at: null,
    approved_by: null,
    pending_for: [],
    rejected_at: null,
    rejected_by: null,
    reject_reason: null,
  })
  await supersede(tx, name, version, drain_seconds, now)
  await activateRegistration(tx, registration_id, { approved_at: now, approved_by: caller.sub })
  const named = { registration_id, checksum, version }
  return {
    status: 200,
    body: { agent_id, ...named, status: 'active' },
    audit: { client_id, agent_id, details: { ...named, content_of: from, drain_seconds } },
  }
}

/** Throws Problem `conflict`. */
async function checkMayReturn(tx: Context, target: RegistrationRow): Promise<void> {
  const { client_id, agent_id, checksum, status } = target
  if (await wasRevoked(tx, client_id, agent_id, checksum)) {
    throw conflict('This content was revoked: register it again and have it approved.', 'revoked_checksum')
  }
  const live = await findLiveByChecksum(tx, client_id, agent_id, checksum)
  if (live?.status === 'active') throw conflict('This content counts now; there is nothing to do.', 'counts_now')
  if (status === 'pending') throw conflict('The version is pending: approve it instead.', 'pending')
  if (!hasCounted(target)) throw conflict('The version never counted: register its content again.', 'never_counted')
}

/** Throws Problem `forbidden` where registering this content would wait and the caller may not approve it. */
async function approveReturn(tx: Context, caller: Caller, client: Client, target: RegistrationRow): Promise<void> {
  const waits = client.policies.require_approval || anyHiddenText(await openComponents(tx, target.registration_id))
  if (waits) await checkFourEyes(tx, caller, target, client)
}
