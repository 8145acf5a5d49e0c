import type { DpopProof } from '../../protocol/dpop.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { Client } from '../store/clients.ts'
import type { PassContext } from './known-records.ts'

/**
 * The key of a client-level token is the client's own choice, never that of one of its agents (protocol.md section 3).
 * Throws `invalid_dpop_proof`.
 */
export async function checkClientProofKey(
  ctx: PassContext,
  { client_id }: Pick<Client, 'client_id'>,
  proof: DpopProof | undefined,
): Promise<void> {
  const keyOwner = proof && (await ctx.known.agentKey(proof.jkt))
  // Of this client only: naming somebody's key as an agent's elsewhere must not shut its holder out.
  if (keyOwner?.client_id === client_id) {
    throw new OAuthError('invalid_dpop_proof', "An agent's key must not bind a client's token; use another key.", {
      reason: 'agent_key_for_client',
    })
  }
}
