import { OAuthError } from '../../protocol/errors.ts'
import { parseJwks } from '../../protocol/jwk.ts'
import { statementRefused } from '../../protocol/key-statement.ts'
import type { Context } from '../context.ts'
import { findAgentKey } from '../store/agent-keys.ts'
import { lockAgent } from '../store/agents.ts'
import { type Client, findClient } from '../store/clients.ts'
import { countEndorsedKeys, insertEndorsedKey } from '../store/endorsed-keys.ts'
import type { AgentAuthorization, Endorsement } from './authorization.ts'

/**
 * The part of a mint's write that an endorsed key asks for, behind the gate: its signer is still current, and the first
 * use binds the thumbprint to the agent, within the client's limit (protocol.md section 4).
 * @returns why the mint is refused, or undefined
 */
export async function admitEndorsedKey(
  tx: Context,
  client: Client,
  agent: Pick<AgentAuthorization, 'agent_id' | 'endorsement'>,
  now: Date,
): Promise<OAuthError | undefined> {
  const { agent_id, endorsement } = agent
  if (!endorsement) return undefined
  const { client_id } = client
  if (!(await isCurrentSigner(tx, client, agent_id, endorsement))) return statementRefused('statement_signer_gone')
  if (!(await isLive(tx, endorsement.jkt, now))) {
    // One first use of an agent's keys at a time, so that the count is exact; later uses do not wait here.
    await lockAgent(tx, client_id, agent_id)
    const most = client.policies.max_endorsed_keys
    const isNew = !(await isLive(tx, endorsement.jkt, now))
    if (isNew && (await countEndorsedKeys(tx, client_id, agent_id, now, most)) >= most) return tooManyKeys()
  }
  const { jkt, jwk, expires_at, signer } = endorsement
  const key = { jkt, jwk, client_id, agent_id, expires_at, endorsed_by: signer.jkt }
  return (await insertEndorsedKey(tx, key, now)) ? undefined : statementRefused('agent_key_mismatch')
}

/** Read again: what the grant saw a moment ago may have been removed. Nothing is fetched while the gate is held. */
async function isCurrentSigner(
  tx: Context,
  client: Client,
  agent_id: string,
  { signer }: Endorsement,
): Promise<boolean> {
  if (signer.by === 'agent') {
    const key = await findAgentKey(tx, signer.jkt)
    const isItsOwn = key?.client_id === client.client_id && key.agent_id === agent_id
    return isItsOwn && key.source === 'registered' && key.removed_at === null
  }
  const now = await findClient(tx, client.client_id)
  if (now?.policies.agent_keys !== 'endorsed' || now.jwks_uri !== client.jwks_uri) return false
  if (now.jwks === null) return now.jwks_uri !== null
  return (await parseJwks(now.jwks)).some(key => key.jkt === signer.jkt)
}

async function isLive(tx: Context, jkt: string, now: Date): Promise<boolean> {
  const key = await findAgentKey(tx, jkt)
  return key !== undefined && key.removed_at === null && key.expires_at !== null && key.expires_at > now
}

function tooManyKeys(): OAuthError {
  return new OAuthError('invalid_dpop_proof', 'The agent has as many endorsed keys as its client may have; wait.', {
    ajwt_error: 'limit_exceeded',
    reason: 'endorsed_keys_full',
  })
}
