import type { z } from 'zod'
import type { addStatedKeySchema } from '../../protocol/agent.ts'
import type { AgentKeyRemoved } from '../../protocol/agent-acts.ts'
import type { AgentDetail } from '../../protocol/agent-views.ts'
import { importPublicJwk, type PublicJwk } from '../../protocol/jwk.ts'
import { agentIdSchema, clientIdSchema } from '../../protocol/names.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findAgentKey, findPublicKeys } from '../store/agent-keys.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { lockAgent } from '../store/agents.ts'
import { enterGateExclusive } from '../store/gate.ts'
import type { Outcome } from './act.ts'
import { removeKey, unknownKey } from './agent-key-administration.ts'
import { keyView } from './agent-views.ts'
import { clientToRead, clientToRegisterFor, speaksFor } from './app-client.ts'
import { statedKeys } from './key-statements.ts'
import { bindKeys, sentKeys } from './sent-keys.ts'

/**
 * Adds a registered key that a key statement vouches for, at once and without approval (protocol.md section 4), inside
 * `act`. Throws `unauthorized_client`, `invalid_request`, `invalid_dpop_proof` for the statement, Problem `not_found`.
 */
export async function addStatedKey(
  tx: Context,
  caller: Caller,
  name: AgentName,
  { jwk, key_statement }: z.output<typeof addStatedKeySchema>,
): Promise<Outcome<AgentDetail['keys'][number]>> {
  const { client_id, agent_id } = name
  const client = await clientToRegisterFor(tx, caller, client_id)
  const agent = await lockAgent(tx, client_id, agent_id)
  if (agent?.status !== 'active') {
    throw new Problem('not_found', 'The client has no active agent of this agent_id.', 'agent_not_active')
  }
  const keys = await sentKeys(tx, name, { public_key: jwk })
  const stated = await statedKeys(tx, { client, agent }, key_statement, keys)
  await bindKeys(tx, name, keys)
  const [jkt = ''] = stated
  const bound = await findAgentKey(tx, jkt)
  if (!bound) throw new Error('A key that was bound is not there.')
  return { status: 201, body: keyView(bound), audit: { ...name, details: { jkt } } }
}

type Removal = {
  readonly before: (tx: Context) => Promise<void>
  readonly remove: (tx: Context) => Promise<Outcome<AgentKeyRemoved>>
}

/**
 * Removes a registered key and what it endorsed for the client that has the agent: as `removeKey`, its two parts inside
 * one `act`. Only where there is such a key does it enter the gate, so that nobody stalls mints by asking for what is
 * not theirs or not there; a key that comes after that look is not removed.
 */
export function ownKeyRemoval(caller: Caller, name: AgentName, jkt: string): Removal {
  let isGated = false
  return {
    async before(tx) {
      isGated = speaksFor(caller, name.client_id) && (await isRegisteredKey(tx, name, jkt))
      if (isGated) await enterGateExclusive(tx)
    },
    async remove(tx) {
      await clientToRead(tx, caller, name.client_id)
      if (!isGated) throw unknownKey()
      return await removeKey(tx, name, jkt)
    },
  }
}

async function isRegisteredKey(tx: Context, { client_id, agent_id }: AgentName, jkt: string): Promise<boolean> {
  const key = await findAgentKey(tx, jkt)
  const isTheirs = key?.client_id === client_id && key.agent_id === agent_id
  return isTheirs && key.source === 'registered' && key.removed_at === null
}

export type PublishedAgentKey = PublicJwk & { kid: string; alg: string; use: 'sig' }

/** The public JWKS of an agent: empty for one that may not act, does not exist, or has no possible name. */
export async function getAgentJwks(
  ctx: Context,
  name: { client_id: string; agent_id: string },
): Promise<{ keys: PublishedAgentKey[] }> {
  const client_id = clientIdSchema.safeParse(name.client_id).data ?? ''
  const agent_id = agentIdSchema.safeParse(name.agent_id).data ?? ''
  const found = await findPublicKeys(ctx, client_id, agent_id)
  return { keys: await Promise.all(found.map(key => published({ ...key.jwk }))) }
}

/** Ed25519 by the name that older libraries know; RSA by the one algorithm that a proof may have. */
async function published(jwk: object): Promise<PublishedAgentKey> {
  const key = await importPublicJwk(jwk)
  return { ...key.jwk, kid: key.jkt, alg: key.algs[0] ?? '', use: 'sig' }
}
