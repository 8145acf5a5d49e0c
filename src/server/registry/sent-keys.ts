import type { AgentRegistration } from '../../protocol/agent.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { importPublicJwk, type PublicKey, parseJwks, parsePem } from '../../protocol/jwk.ts'
import type { Context } from '../context.ts'
import { findKeyOwner } from '../store/agent-keys.ts'

export type SentKey = Pick<PublicKey, 'jkt' | 'jwk'>

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

export function keyTaken(): OAuthError {
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
