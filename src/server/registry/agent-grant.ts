import type { AgentGrantAnswer, AgentGrantChange } from '../../protocol/agent-acts.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { updateGrant } from '../store/agents.ts'
import { listRegistrations, MOST_VALID } from '../store/registrations.ts'
import type { Outcome } from './act.ts'
import { grantChange } from './agent-changes.ts'
import { agentToDecide } from './agent-decisions.ts'
import { grantAbove, isNoWider } from './ceiling.ts'
import { checkOtherOwner, registrants } from './four-eyes.ts'

/**
 * Changes the grant of an agent without new content (protocol.md section 4), inside `act` with the exclusive gate as its
 * `before`: once it has answered, every version mints by it on every node. What was minted stays until it expires, and
 * what a pending version proposes stays proposed. To take away needs one person; what is wider needs another owner than
 * the client's and than whoever registered what counts or waits, as the approval of a version that asks for it would.
 * Throws Problem `not_found`, `conflict`, `invalid_request` for what the client cannot hand on, `forbidden`.
 */
export async function changeGrant(
  tx: Context,
  caller: Caller,
  name: AgentName,
  { grant }: AgentGrantChange,
): Promise<Outcome<AgentGrantAnswer>> {
  const { client_id, agent_id } = name
  const { agent, client } = await agentToDecide(tx, name)
  const excess = grantAbove(client, tx.config, grant)
  if (excess) throw new Problem('invalid_request', excess.sentence, excess.reason, { compared: excess.compared })
  if (!isNoWider(grant, agent)) {
    const versions = await listRegistrations(tx, client_id, agent_id, { live: true, limit: MOST_VALID })
    const others = await Promise.all(versions.map(version => registrants(tx, version)))
    await checkOtherOwner(tx, caller, [client.owner, ...others.flat()], {
      detail:
        'Somebody else must widen a grant: the acting owner registered a version of this agent, or owns its client.',
      reason: 'own_wider_grant',
    })
  }
  const details = grantChange(agent, grant)
  if (details.grant) await updateGrant(tx, client_id, agent_id, grant)
  return { status: 200, body: { client_id, agent_id, grant }, audit: { client_id, agent_id, details } }
}
