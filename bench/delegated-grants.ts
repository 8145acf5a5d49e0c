import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import { accessTokenClaimsSchema } from '../src/protocol/claims.ts'
import { agentSubject } from '../src/protocol/names.ts'
import { signDelegation } from '../src/protocol/sign.ts'
import { epochSeconds } from '../src/protocol/time.ts'
import { API, APP, type Estate, WORKFLOW } from './estate.ts'
import type { Batch } from './load/batch.ts'
import { mint } from './load/mint.ts'
import { agentGrants, TOKEN_MARK } from './load/token-requests.ts'
import type { RemitPeer } from './peers/remit.ts'

/** Executions of a round, each with a delegation: one row must not be what everybody waits for. */
const EXECUTIONS = 64
const LIFETIME = 600

/**
 * A delegate mints below the token of a step's own agent, in executions that are new in this round: each assertion is
 * shown for the first time here, and then again for renewals (protocol.md section 6).
 */
export async function delegatedGrants(
  { metadata, origin }: RemitPeer,
  { appKey, agents }: Estate,
  count: number,
): Promise<Batch> {
  const { lead, hand } = agents
  const grants = agentGrants(metadata, appKey)
  const entry = grants(lead)
  const parents = await mint(
    origin,
    Array.from({ length: EXECUTIONS }, () => entry(WORKFLOW)),
  )
  const additions = await Promise.all(
    parents.map(async token => {
      const { jti, intent } = accessTokenClaimsSchema.parse(decodeJwt(token))
      const execution_id = intent?.execution_id ?? ''
      const iat = epochSeconds(new Date())
      const delegation_assertion = await signDelegation(lead.key, {
        iss: agentSubject(APP, lead.agent_id),
        sub: agentSubject(APP, hand.agent_id),
        aud: metadata.issuer,
        parent_jti: jti,
        jkt: hand.key.kid,
        scope: 'read',
        resource: [API],
        workflow_step: WORKFLOW.workflow_step,
        ...{ execution_id, iat, exp: iat + LIFETIME, jti: randomUUID() },
      })
      return { ...WORKFLOW, execution_id, delegation_assertion }
    }),
  )
  const renewal = grants(hand)
  const requests = Array.from({ length: count }, (_, index) => renewal(additions[index % EXECUTIONS]))
  return { requests, mark: TOKEN_MARK }
}
