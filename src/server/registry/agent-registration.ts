import { isWithin } from '../../protocol/access.ts'
import type { AgentRegistration, Grant, RegistrationAnswer } from '../../protocol/agent.ts'
import type { PendingCause } from '../../protocol/agent-views.ts'
import { canonicalComponents, checksumsEqual, parseChecksum } from '../../protocol/checksum.ts'
import { sha256Hex } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findAgentKeys, insertAgentKeys } from '../store/agent-keys.ts'
import { type Agent, insertAgent, lockAgent, updateGrant } from '../store/agents.ts'
import type { Client } from '../store/clients.ts'
import { activateRegistration, insertRegistration, retireOlder } from '../store/registration-changes.ts'
import {
  findLiveByChecksum,
  firstProposal,
  newestVersion,
  type RegistrationRow,
  wasRevoked,
} from '../store/registrations.ts'
import type { Outcome } from './act.ts'
import { clientToRegisterFor } from './app-client.ts'
import { grantableAccess, isNoWider } from './ceiling.ts'
import { checksumComponents, sealComponents } from './components.ts'
import { anyHiddenText } from './hidden-text.ts'
import { keyTaken, type SentKey, sentKeys } from './sent-keys.ts'

/** Ids are unique in the server; a second try has a random end. */
const ID_TRIES = 3

/**
 * Registers a version of an agent (protocol.md section 4), inside `act`. It counts at once, retiring the older one,
 * unless something asks for approval: then it is `pending`, and its keys and a wider grant are only proposed.
 * Throws `unauthorized_client`, `invalid_request`, `invalid_scope`, `duplicate_agent`.
 */
export async function registerAgent(
  tx: Context,
  caller: Caller,
  body: AgentRegistration,
): Promise<Outcome<RegistrationAnswer>> {
  const client = await clientToRegisterFor(tx, caller, body.app_id)
  const { client_id } = client
  const { agent_id } = body.agent_components
  if (body.checksum_profile === 'reference') {
    throw new OAuthError('invalid_request', 'Profile reference is not built yet.', { reason: 'not_built' })
  }
  const canonical = canonicalComponents(checksumComponents(body.agent_components))
  const checksum = sha256Hex(canonical)
  checkClaimed(body.claimed_checksum, checksum)
  checkGrant(tx, client, body.grant)
  const keys = await sentKeys(tx, { client_id, agent_id }, body)

  const { agent, first } = await enterAgent(tx, client_id, agent_id)
  const held = await findAgentKeys(tx, client_id, agent_id)
  // Until a version has counted, what an earlier proposal asked for goes on waiting with the newest one.
  const proposal = first ? undefined : await firstProposal(tx, client_id, agent_id)
  const isFirst = first || proposal !== undefined
  const keysDiffer = !isFirst && keys.length > 0 && !sameKeys(keys, held)
  const pending_for: PendingCause[] = [
    ...(client.policies.require_approval ? ['require_approval' as const] : []),
    ...(anyHiddenText(body.agent_components) ? ['hidden-characters' as const] : []),
    ...(keysDiffer ? ['keys' as const] : []),
    ...((await wasRevoked(tx, client_id, agent_id, checksum)) ? ['revoked_checksum' as const] : []),
  ]
  const pending = pending_for.length > 0
  const version = (await newestVersion(tx, client_id, agent_id)) + 1
  const grant = body.grant ?? proposal?.proposed_grant ?? (first ? defaultGrant(tx, client) : undefined)
  const waits = pending && grant !== undefined && (isFirst || !isNoWider(grant, agent))
  const proposedKeys = keys.length > 0 ? keys : (proposal?.proposed_keys ?? [])

  // Pending first, so that the index of live checksums judges it beside the versions it is about to retire.
  const registration_id = await insertVersion(tx, canonical, {
    client_id,
    agent_id,
    version,
    checksum,
    checksum_profile: body.checksum_profile,
    status: 'pending',
    drain_seconds: 0,
    drains_until: null,
    proposed_grant: waits ? grant : null,
    proposed_keys: pending && (isFirst || keysDiffer) && proposedKeys.length > 0 ? proposedKeys : null,
    registered_at: tx.now(),
    registered_by: caller.sub,
    registered_owner: caller.acting_owner,
    approved_at: null,
    approved_by: null,
    pending_for,
    rejected_at: null,
    rejected_by: null,
    reject_reason: null,
  })
  if (grant && !waits) await updateGrant(tx, client_id, agent_id, grant)
  if (!pending) {
    await bindKeys(tx, client_id, agent_id, keys)
    await retireOlder(tx, client_id, agent_id, version)
    await activateRegistration(tx, registration_id)
  }
  const status = pending ? 'pending' : 'active'
  return {
    status: 200,
    body: { agent_id, registration_id, checksum, version, status },
    audit: { client_id, agent_id, details: { registration_id, checksum, version, status, pending_for } },
  }
}

/** Throws `invalid_request` where a key became another agent's meanwhile. */
async function bindKeys(tx: Context, client_id: string, agent_id: string, keys: readonly SentKey[]): Promise<void> {
  const bound = await insertAgentKeys(tx, client_id, agent_id, keys, tx.now())
  if (!keys.every(key => bound.has(key.jkt))) throw keyTaken()
}

function checkClaimed(claimed: string | undefined, checksum: string): void {
  if (claimed === undefined || checksumsEqual(parseChecksum(claimed), checksum)) return
  throw new OAuthError('agent_checksum_mismatch', 'The claimed checksum is not that of the components as received.', {
    status: 400,
    reason: 'claimed_checksum_mismatch',
  })
}

function checkGrant(tx: Context, client: Client, grant: Grant | undefined): void {
  if (!grant || isWithin(grant.access, grantableAccess(client.access, tx.config))) return
  throw new OAuthError('invalid_scope', "The grant must lie within the client's own access to registered resources.", {
    reason: 'grant_above_client',
  })
}

/** Nothing, or by the client's policy its whole ceiling; never `outside_workflow` (protocol.md section 4). */
function defaultGrant(tx: Context, client: Client): Grant | undefined {
  if (client.policies.default_grant === 'none') return undefined
  return { access: [...grantableAccess(client.access, tx.config)], outside_workflow: false }
}

/** The agent's row, made where it is new, locked. A revoked agent's name is never given out again (section 9). */
async function enterAgent(tx: Context, client_id: string, agent_id: string): Promise<{ agent: Agent; first: boolean }> {
  const created_at = tx.now()
  const first = await insertAgent(tx, {
    client_id,
    agent_id,
    status: 'active',
    access: [],
    outside_workflow: false,
    created_at,
  })
  const agent = await lockAgent(tx, client_id, agent_id)
  if (!agent) {
    throw new OAuthError('invalid_request', 'An agent of this client has an id that differs only in case.', {
      reason: 'agent_id_case',
    })
  }
  if (agent.status === 'revoked') {
    throw new OAuthError('invalid_request', 'The agent was revoked; its agent_id is never given out again.', {
      reason: 'agent_revoked',
    })
  }
  return { agent, first }
}

function sameKeys(sent: readonly { jkt: string }[], held: readonly { jkt: string }[]): boolean {
  const known = new Set(held.map(key => key.jkt))
  return sent.length === held.length && sent.every(key => known.has(key.jkt))
}

async function insertVersion(
  tx: Context,
  canonical: string,
  row: Omit<RegistrationRow, 'registration_id'>,
): Promise<string> {
  const plain = `reg_${row.agent_id}_${epochSeconds(row.registered_at)}`
  for (let attempt = 0; attempt < ID_TRIES; attempt += 1) {
    const registration_id = attempt === 0 ? plain : `${plain}_${tx.randomId()}`
    const components_sealed = sealComponents(tx, registration_id, canonical)
    if (await insertRegistration(tx, { ...row, registration_id, components_sealed })) return registration_id
    const twin = await findLiveByChecksum(tx, row.client_id, row.agent_id, row.checksum)
    if (twin) {
      throw new OAuthError('duplicate_agent', 'A version with this checksum is pending, active or draining.', {
        registration_id: twin.registration_id,
        existing_agent_id: row.agent_id,
      })
    }
  }
  throw new OAuthError('temporarily_unavailable', 'No registration_id was free; try again.', {
    reason: 'registration_id_taken',
    status: 503,
    retry_after: 1,
  })
}
