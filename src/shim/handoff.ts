import { delegationDigest, verifyDelegation } from '../protocol/delegation.ts'
import { OAuthError } from '../protocol/errors.ts'
import { signDelegation } from '../protocol/sign.ts'
import type { AgentIdentity, DelegationOptions, Handoff } from './agent.ts'
import type { Step } from './agent-context.ts'
import type { AgentKey } from './agent-key.ts'
import { newJti } from './new-jti.ts'
import type { IntentToken } from './token-cache.ts'

const LIFETIME_SECONDS = 600

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

/** Who signed what over, with which key, until when. */
export type From = {
  readonly iss: string
  readonly jkt: string
  readonly assertion: string
  readonly scopes: readonly string[]
  readonly exp: number
}

/**
 * Reads a handoff whose signature holds; the server judges whether it may be. Throws `delegation_unauthorized` for what is
 * none, and `invalid_request` for one that is for somebody else.
 */
export async function readHandoff({ delegation_assertion }: Handoff, issuer: string, sub: string): Promise<From> {
  const { iss, exp, scopes, signer, sub: to } = await verifyDelegation(delegation_assertion, issuer)
  if (to === sub) return { iss, jkt: signer.jkt, assertion: delegation_assertion, scopes, exp }
  throw new OAuthError('invalid_request', 'The handoff is for another agent.', { reason: 'handoff_of_another' })
}
