import { OAuthError } from '../../protocol/errors.ts'
import { statementRefused } from '../../protocol/key-statement.ts'
import type { Context } from '../context.ts'
import { findAgentKey } from '../store/agent-keys.ts'
import { agentLockName, lockAgent } from '../store/agents.ts'
import type { Client } from '../store/clients.ts'
import { countEndorsedKeys, insertEndorsedKey } from '../store/endorsed-keys.ts'
import { inTurn } from '../store/together.ts'
import type { Endorsement } from './authorization.ts'

type Endorsed = {
  readonly client: Client
  readonly agent_id: string
  readonly endorsement: Endorsement
  readonly now: Date
}

/** Agents are locked before any key is, as everywhere: a batch may bring several of both. */
const SIGNERS = 30
const BIND = 35

/**
 * The part of a mint's write that an endorsed key asks for, behind the gate: its signer is still current, and the first
 * use binds the thumbprint to the agent, within the client's limit (protocol.md section 4).
 * @returns why the mint is refused, or undefined
 */
export async function admitEndorsedKey(tx: Context, endorsed: Endorsed): Promise<OAuthError | undefined> {
  if (!(await holdFirstUse(tx, endorsed))) return statementRefused('statement_signer_gone')
  return await bindKey(tx, endorsed)
}

/** One first use of an agent's keys at a time, so that their count is exact; later uses do not wait here. */
const holdFirstUse = inTurn(
  SIGNERS,
  ({ client, agent_id }: Endorsed) => agentLockName(client.client_id, agent_id),
  async (tx, endorsed) => {
    const { client, agent_id, endorsement, now } = endorsed
    const isCurrent = await isCurrentSigner(tx, endorsed)
    if (isCurrent && !(await isLive(tx, endorsement.jkt, now))) await lockAgent(tx, client.client_id, agent_id)
    return isCurrent
  },
)

const bindKey = inTurn(
  BIND,
  ({ endorsement }: Endorsed) => endorsement.jkt,
  async (tx, { client, agent_id, endorsement, now }): Promise<OAuthError | undefined> => {
    const { client_id, policies } = client
    const { jkt, jwk, expires_at, signer } = endorsement
    const most = policies.max_endorsed_keys
    const live = (await isLive(tx, jkt, now)) ? undefined : await countEndorsedKeys(tx, client_id, agent_id, now, most)
    if (live !== undefined && live >= most) return tooManyKeys(live, most)
    const key = { jkt, jwk, client_id, agent_id, expires_at, endorsed_by: signer.jkt }
    return (await insertEndorsedKey(tx, key, now)) ? undefined : statementRefused('agent_key_mismatch')
  },
)

/** Read again, where it is a key of the agent; one of the client's goes with the client's record. */
async function isCurrentSigner(tx: Context, { client, agent_id, endorsement: { signer } }: Endorsed): Promise<boolean> {
  if (signer.by !== 'agent') return true
  const key = await findAgentKey(tx, signer.jkt)
  const isItsOwn = key?.client_id === client.client_id && key.agent_id === agent_id
  return isItsOwn && key.source === 'registered' && key.removed_at === null
}

async function isLive(tx: Context, jkt: string, now: Date): Promise<boolean> {
  const key = await findAgentKey(tx, jkt)
  return key !== undefined && key.removed_at === null && key.expires_at !== null && key.expires_at > now
}

function tooManyKeys(endorsed_keys: number, max_endorsed_keys: number): OAuthError {
  return new OAuthError('invalid_dpop_proof', 'The agent has as many endorsed keys as its client may have; wait.', {
    ajwt_error: 'limit_exceeded',
    reason: 'endorsed_keys_full',
    compared: { endorsed_keys, max_endorsed_keys },
  })
}
