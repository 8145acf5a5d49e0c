import type { DpopProof } from '../../protocol/dpop.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { statementRefused } from '../../protocol/key-statement.ts'
import type { Context } from '../context.ts'
import { readKeyStatement } from '../registry/key-statements.ts'
import { type AgentKey, type AgentKeyRow, findAgentKeys } from '../store/agent-keys.ts'
import type { Client } from '../store/clients.ts'
import type { AgentAuthorization } from './authorization.ts'
import type { PassContext } from './known-records.ts'

type Sent = {
  readonly proof: DpopProof | undefined
  /** Whose key that of the proof is; undefined: nobody's. */
  readonly bound: AgentKeyRow | undefined
  readonly key_statement: string | undefined
}
type Possession = Pick<AgentAuthorization, 'key' | 'endorsement'>

/**
 * Row 6 of protocol.md section 6: a proof by an admitted key of the agent is due unless the client's policy lifts it; a
 * proof that is sent must be one. Admitted is a registered key, and one that a key statement sent along vouches for:
 * without the statement such a key mints nothing. Reads only. Throws `invalid_dpop_proof` (`agent_key_mismatch`).
 */
export async function provePossession(
  ctx: PassContext,
  client: Client,
  agent_id: string,
  { proof, bound, key_statement }: Sent,
): Promise<Possession> {
  if (!proof) {
    if (key_statement === undefined && client.policies.agent_proof === 'optional') return { key: 'none' }
    throw notAdmitted('proof_required')
  }
  const isOurs = !bound || (bound.client_id === client.client_id && bound.agent_id === agent_id)
  if (!isOurs || (bound && bound.removed_at !== null)) throw notAdmitted('agent_key_mismatch')
  // A statement that is sent must hold, also where it is not needed.
  const endorsement =
    key_statement === undefined ? undefined : await endorse(ctx, { client, agent_id }, proof, key_statement)
  if (isRegistered(bound)) return { key: 'registered' }
  if (!endorsement) throw notAdmitted(bound ? 'key_statement_missing' : 'agent_key_mismatch')
  return { key: 'endorsed', endorsement }
}

/** The one registered key of the agent, which a draft token without a proof carries. Throws `invalid_dpop_proof`. */
export async function onlyRegisteredKey(ctx: PassContext, client_id: string, agent_id: string): Promise<AgentKey> {
  const [only, ...others] = await findAgentKeys(ctx, client_id, agent_id)
  if (only && others.length === 0) {
    // The write must find it as it is now.
    await ctx.known.agentKey(only.jkt)
    return only
  }
  throw new OAuthError('invalid_dpop_proof', 'Without a proof the agent needs exactly one registered key.', {
    ajwt_error: 'agent_key_mismatch',
    reason: 'no_single_key',
  })
}

async function endorse(
  ctx: Context,
  of: { client: Client; agent_id: string },
  { jkt, jwk }: DpopProof,
  key_statement: string,
): Promise<AgentAuthorization['endorsement']> {
  const statement = await readKeyStatement(ctx, of, key_statement)
  if (statement.jkt !== jkt) throw statementRefused('statement_jkt')
  return { jkt, jwk, signer: statement.signer, expires_at: new Date(statement.exp * 1000) }
}

function isRegistered(key: AgentKeyRow | undefined): boolean {
  return key?.source === 'registered'
}

function notAdmitted(reason: string): OAuthError {
  const text = 'A DPoP proof by a registered key of the agent is due, or by one that a key statement names.'
  return new OAuthError('invalid_dpop_proof', text, { ajwt_error: 'agent_key_mismatch', reason })
}
