import type { AgentRegistration } from '../../protocol/agent.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { importPublicJwk, type PublicKey, parseJwks, parsePem } from '../../protocol/jwk.ts'
import type { Context } from '../context.ts'
import { findAgentKeys, findKeyOwner, insertAgentKeys, REGISTERED_KEYS_MAX } from '../store/agent-keys.ts'
import type { PublicJwk } from '../store/schema.ts'

export type SentKey = { readonly jkt: string; readonly jwk: PublicJwk }

/**
 * The keys of a registration, checked: Ed25519, P-256 or RSA from 2048 bits, each once, none of ours, none of another
 * agent (protocol.md section 4). Throws `invalid_request`.
 */
export async function sentKeys(
  tx: Context,
  agent: { client_id: string; agent_id: string },
  { public_key, jwks }: Pick<AgentRegistration, 'public_key' | 'jwks'>,
): Promise<readonly SentKey[]> {
  const keys = (await parsed(public_key, jwks)).map(({ jkt, jwk }) => ({ jkt, jwk }))
  if (new Set(keys.map(key => key.jkt)).size !== keys.length) throw refusal('A key is sent twice.', 'repeated_key')
  const ours = new Set(tx.keys.published().map(key => key.kid))
  for (const { jkt } of keys) {
    if (ours.has(jkt)) throw refusal("The key is one of this server's own.", 'own_key')
    const owner = await findKeyOwner(tx, jkt)
    if (owner && (owner.client_id !== agent.client_id || owner.agent_id !== agent.agent_id)) throw keyTaken()
  }
  return keys
}

/**
 * Makes these keys registered ones of the agent, whose row is locked. Throws `invalid_request` where one became another
 * agent's meanwhile, and where the agent would have more than 16.
 */
export async function bindKeys(
  tx: Context,
  { client_id, agent_id }: { client_id: string; agent_id: string },
  keys: readonly SentKey[],
): Promise<void> {
  const held = await findAgentKeys(tx, client_id, agent_id)
  if (new Set([...held, ...keys].map(key => key.jkt)).size > REGISTERED_KEYS_MAX) {
    throw refusal('The agent would have more than 16 registered keys; remove one first.', 'too_many_keys')
  }
  const bound = await insertAgentKeys(tx, client_id, agent_id, keys, tx.now())
  if (!keys.every(key => bound.has(key.jkt))) throw keyTaken()
}

function keyTaken(): OAuthError {
  return refusal('The key cannot be used; make a new one for this agent.', 'agent_key_taken')
}

async function parsed(public_key: AgentRegistration['public_key'], jwks: unknown): Promise<readonly PublicKey[]> {
  if (typeof public_key === 'string') return [await parsePem(public_key)]
  if (public_key !== undefined) return [await importPublicJwk(public_key)]
  return jwks === undefined ? [] : await parseJwks(jwks)
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
