import type { AccessTokenClaims } from '../../protocol/claims.ts'
import { formatScope } from '../../protocol/scope.ts'
import { grantedDetails } from '../../protocol/workflow-request.ts'
import { actClaim } from './act-claim.ts'
import type { Permitted } from './authorization.ts'

/**
 * The claims of protocol.md section 7 in the target's profile; `iat` in epoch seconds, `workflow_id` as the API
 * sees it. A draft token has the agent's bare id as `sub`, no `sub_profile` and never `act`.
 */
export function accessTokenClaims(
  permitted: Permitted,
  token: { iss: string; iat: number; jti: string; workflow_id?: string | undefined },
): AccessTokenClaims {
  const { target, agent, confirmation } = permitted
  const { workflow_id } = token
  const draft = target.token_profile === 'draft'
  const act = draft ? undefined : actClaim(permitted)
  return {
    iss: token.iss,
    aud: target.resource,
    client_id: permitted.client.client_id,
    sub: draft && agent ? agent.agent_id : permitted.sub,
    ...(!draft && { sub_profile: permitted.sub_profile }),
    ...(act && { act }),
    exp: token.iat + permitted.lifetime,
    iat: token.iat,
    jti: token.jti,
    scope: formatScope(permitted.scope),
    ...(confirmation && { cnf: confirmation }),
    ...(agent && {
      intent: { ...agent.intent, ...(workflow_id !== undefined && { workflow_id }) },
      agent_proof: {
        agent_checksum: `sha256:${agent.checksum}`,
        registration_id: agent.registration_id,
        version: agent.version,
        key: agent.key,
      },
    }),
    ...(agent?.workflow?.as_details && {
      authorization_details: grantedDetails({
        ...agent.workflow,
        ...(workflow_id !== undefined && { workflow_id }),
      }),
    }),
    ...(agent?.delegation &&
      target.chain_disclosure === 'proofs' && { delegation_proofs: [...agent.delegation.proofs] }),
  }
}
