import type { z } from 'zod'
import type { addAgentKeySchema } from '../../protocol/agent.ts'
import type { AgentKeyRemoved } from '../../protocol/agent-acts.ts'
import type { AgentDetail } from '../../protocol/agent-views.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { findAgentKey, removeAgentKey } from '../store/agent-keys.ts'
import type { AgentName } from '../store/agent-lists.ts'
import type { Outcome } from './act.ts'
import { agentToDecide } from './agent-decisions.ts'
import { keyView } from './agent-views.ts'
import { checkOtherOwner } from './four-eyes.ts'
import { bindKeys, sentKeys } from './sent-keys.ts'

/**
 * Adds a registered key without a statement by one that the agent has (protocol.md section 4), inside `act`: so another
 * owner than the client's vouches for it.
 * Throws Problem `not_found`, `conflict`, `forbidden`; `invalid_request` for a key that cannot be this agent's.
 */
export async function addKey(
  tx: Context,
  caller: Caller,
  name: AgentName,
  { jwk }: z.output<typeof addAgentKeySchema>,
): Promise<Outcome<AgentDetail['keys'][number]>> {
  const { client } = await agentToDecide(tx, name)
  await checkOtherOwner(tx, caller, [client.owner], {
    detail: 'Somebody else must add it: the acting owner owns the client of this agent.',
    reason: 'own_client',
  })
  const [key] = await sentKeys(tx, name, { public_key: jwk })
  if (!key) throw new Problem('invalid_request', 'Send one key.', 'no_key')
  await bindKeys(tx, name, [key])
  const bound = await findAgentKey(tx, key.jkt)
  if (!bound) throw new Error('A key that was bound is not there.')
  return { status: 201, body: keyView(bound), audit: { ...name, details: { jkt: key.jkt } } }
}

/**
 * Removes a registered key and all that it endorsed, inside `act` with the exclusive gate as its `before`: once it has
 * answered, nothing is minted with any of them. One person is enough. Throws Problem `not_found`, `conflict`.
 */
export async function removeKey(tx: Context, name: AgentName, jkt: string): Promise<Outcome<AgentKeyRemoved>> {
  await agentToDecide(tx, name)
  const endorsed_keys = await removeAgentKey(tx, name, jkt, tx.now())
  if (endorsed_keys === undefined) throw unknownKey()
  return { status: 200, body: { jkt, endorsed_keys }, audit: { ...name, details: { jkt, endorsed_keys } } }
}

export function unknownKey(): Problem {
  return new Problem('not_found', 'The agent has no registered key of this thumbprint.', 'unknown_key')
}
