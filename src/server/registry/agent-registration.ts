import type { AgentRegistration, RegistrationAnswer } from '../../protocol/agent.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { type Agent, insertAgent, lockAgent, updateGrant } from '../store/agents.ts'
import { activateRegistration, retireDrained, supersede } from '../store/registration-changes.ts'
import type { Outcome } from './act.ts'
import { grantChange, keyChange } from './agent-changes.ts'
import { agentIdTaken, agentWasRevoked } from './agent-name.ts'
import { insertVersion } from './agent-version.ts'
import { ownerOfClient } from './four-eyes.ts'
import { statedKeys } from './key-statements.ts'
import { agentBefore, askedFor, type Examined, examineRegistration } from './registration-examination.ts'
import { bindKeys } from './sent-keys.ts'
import { decideVersion } from './version-decision.ts'

/**
 * Registers a version of an agent (protocol.md section 4), inside `act`. It counts at once, and the older one drains
 * for `drain_seconds`, unless something asks for approval: then it is `pending`, drains nothing, and its keys and a
 * wider grant are only proposed.
 * Throws `unauthorized_client`, `invalid_request`, `invalid_scope`, `agent_checksum_mismatch`, `duplicate_agent`,
 * `invalid_dpop_proof` for a key statement.
 */
export async function registerAgent(
  tx: Context,
  caller: Caller,
  body: AgentRegistration,
): Promise<Outcome<RegistrationAnswer>> {
  return await registerEntered(tx, caller, await enterRegistration(tx, caller, body))
}

/** A registration that is in order by itself, with the agent's row locked. */
export type Entered = { readonly body: AgentRegistration; readonly examined: Examined; readonly agent: Agent }

/** The first part of `registerAgent`: judges what needs no look at the agent, then locks its row. */
export async function enterRegistration(tx: Context, caller: Caller, body: AgentRegistration): Promise<Entered> {
  const examined = await examineRegistration(tx, caller, body)
  return { body, examined, agent: await enterAgent(tx, examined.name) }
}

/** The second part of `registerAgent`. */
export async function registerEntered(
  tx: Context,
  caller: Caller,
  { body, examined, agent }: Entered,
): Promise<Outcome<RegistrationAnswer>> {
  const { name, kept } = examined
  const { checksum, content_digest } = kept
  const { drain_seconds, checksum_profile } = body
  await retireDrained(tx, name, tx.now())
  const { client, keys } = examined
  const stated = await statedKeys(tx, { client, agent }, body.key_statement, keys)
  const before = await agentBefore(tx, name, agent, checksum)
  const decided = decideVersion(before, askedFor(tx, examined, body, stated))
  const { version, status, pending_for, proposed_grant, proposed_keys } = decided

  // Pending first, so that the index of live checksums judges it beside the versions it is about to end.
  const registration_id = await insertVersion(tx, kept.text, {
    ...name,
    version,
    checksum,
    checksum_profile,
    content_digest,
    status: 'pending',
    drain_seconds,
    drains_until: null,
    proposed_grant,
    proposed_keys,
    registered_at: tx.now(),
    registered_by: caller.sub,
    registered_owner: caller.acting_owner,
    registered_client: caller.client_id,
    registered_client_owner: await ownerOfClient(tx, caller.client_id),
    approved_at: null,
    approved_by: null,
    pending_for,
    rejected_at: null,
    rejected_by: null,
    reject_reason: null,
  })
  if (decided.grant) await updateGrant(tx, name.client_id, name.agent_id, decided.grant)
  if (decided.keys.length > 0) await bindKeys(tx, name, decided.keys)
  if (status === 'active') {
    await supersede(tx, name, version, drain_seconds, tx.now())
    await activateRegistration(tx, registration_id)
  }
  const named = { registration_id, checksum, version, status }
  const details = {
    ...named,
    pending_for,
    ...(drain_seconds > 0 && { drain_seconds }),
    ...grantChange(before.grant, decided.grant),
    ...keyChange(before.held, { added: decided.keys }),
    ...(proposed_grant && { proposed_grant }),
    ...(proposed_keys && { proposed_jkts: proposed_keys.map(key => key.jkt) }),
  }
  return { status: 200, body: { agent_id: name.agent_id, ...named }, audit: { ...name, details } }
}

/** The agent's row, made where it is new, locked. A revoked agent's name is never given out again (section 9). */
async function enterAgent(tx: Context, { client_id, agent_id }: AgentName): Promise<Agent> {
  await insertAgent(tx, {
    client_id,
    agent_id,
    status: 'active',
    access: [],
    outside_workflow: false,
    created_at: tx.now(),
  })
  const agent = await lockAgent(tx, client_id, agent_id)
  if (!agent) throw agentIdTaken()
  if (agent.status === 'revoked') throw agentWasRevoked()
  return agent
}
