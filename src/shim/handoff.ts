import { z } from 'zod'
import { parseCompactJws } from '../protocol/compact-jws.ts'
import { delegationDigest } from '../protocol/delegation.ts'
import { OAuthError } from '../protocol/errors.ts'
import { signDelegation } from '../protocol/sign.ts'
import type { AgentIdentity, DelegationOptions, Handoff } from './agent.ts'
import type { Step } from './agent-context.ts'
import type { AgentKey } from './agent-key.ts'
import { newJti } from './new-jti.ts'
import type { IntentToken } from './token-cache.ts'

const LIFETIME_SECONDS = 600
const claimsSchema = z.object({ iss: z.string(), sub: z.string(), exp: z.int() })

export type Delegator = {
  readonly issuer: string
  readonly sub: string
  readonly key: AgentKey
  /** The delegator's own token, under which the task is handed over. */
  readonly parent: IntentToken
  readonly step: Step | undefined
  /** Epoch seconds. */
  readonly iat: number
}

/** Signs a task over to another agent (protocol.md section 6, Delegation). */
export async function signHandoff(
  { issuer, sub, key, parent, step, iat }: Delegator,
  to: AgentIdentity,
  { resource, scope, workflow_step, expiresIn = LIFETIME_SECONDS }: DelegationOptions,
): Promise<Handoff> {
  const { workflow, delegation } = step ?? {}
  const execution_id = workflow?.execution.execution_id
  const next = workflow_step ?? workflow?.workflow_step
  const delegation_assertion = await signDelegation(key.holder, {
    iss: sub,
    sub: to.sub,
    aud: issuer,
    parent_jti: parent.jti,
    ...(delegation && { prev: delegationDigest(delegation.assertion) }),
    jkt: to.jkt,
    scope: scope.join(' '),
    resource: [resource],
    ...(workflow_step !== undefined && { workflow_step }),
    ...(execution_id !== undefined && { execution_id }),
    iat,
    exp: Math.min(iat + expiresIn, delegation?.exp ?? Number.POSITIVE_INFINITY),
    jti: newJti(),
  })
  return {
    delegation_assertion,
    ...(workflow && { workflow_id: workflow.execution.workflow_id }),
    ...(next !== undefined && { workflow_step: next }),
    ...(execution_id !== undefined && { execution_id }),
  }
}

/** Who handed over what, by its own word: the server judges it. Throws `invalid_request` for what is none, or not for `sub`. */
export function readHandoff(
  { delegation_assertion }: Handoff,
  sub: string,
): { readonly iss: string; readonly exp: number } {
  const claims = claimsSchema.safeParse(parseCompactJws(delegation_assertion).payload)
  if (claims.data?.sub === sub) return { iss: claims.data.iss, exp: claims.data.exp }
  throw new OAuthError('invalid_request', 'The handoff is for another agent.', { reason: 'handoff_of_another' })
}
