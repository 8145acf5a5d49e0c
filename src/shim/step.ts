import { sha256Base64url } from '../protocol/digest.ts'
import { OAuthError } from '../protocol/errors.ts'
import { canonicalJson } from '../protocol/jcs.ts'
import type { StepOptions } from './agent.ts'
import { type Step, surroundingStep } from './agent-context.ts'
import { createExecution, type Execution } from './execution.ts'
import { readHandoff } from './handoff.ts'

const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

/**
 * The step that `run` was given, checked: it is this agent's to begin, and names a whole workflow step. One that names
 * none stays in the agent's step around it, and one of the same workflow in the run around it. Throws `invalid_request`.
 */
export function beginStep(agent: symbol, sub: string, options: StepOptions): Step {
  const { handoff, scope, arguments: sent, subject_token, subject_token_type = JWT_TYPE, approvalWait = 0 } = options
  const from = handoff && readHandoff(handoff, sub)
  const around = surroundingStep(agent, from?.iss)
  if (around?.isOwn && staysWithin(options)) return { ...around.step, ...(scope && { scope }) }
  const workflow = workflowOf(options, around?.step.workflow?.execution)
  const delegation = handoff && from && { assertion: handoff.delegation_assertion, exp: from.exp }
  return {
    name: nameOf(options),
    approvalWait,
    ...(workflow && { workflow }),
    ...(scope && { scope }),
    ...(sent && { arguments: sent }),
    ...(subject_token !== undefined && { subject_token: { token: subject_token, type: subject_token_type } }),
    ...(delegation && { delegation }),
  }
}

/** Whether nothing but a narrower scope was asked for. */
function staysWithin({ scope: _scope, resource: _resource, ...rest }: StepOptions): boolean {
  return Object.values(rest).every(value => value === undefined)
}

function workflowOf(
  { execution: given, handoff, ...named }: StepOptions,
  around: Execution | undefined,
): Step['workflow'] {
  const workflow_step = named.workflow_step ?? handoff?.workflow_step
  const asked = named.workflow_id ?? given?.workflow_id ?? handoff?.workflow_id
  if (workflow_step === undefined && asked === undefined) return undefined
  const workflow_id = asked ?? around?.workflow_id
  const execution_id = handoff?.execution_id
  const isAround =
    around?.workflow_id === workflow_id && (execution_id ?? around?.execution_id) === around?.execution_id
  const execution = given ?? (isAround ? around : undefined)
  const isOther = execution !== undefined && execution.workflow_id !== workflow_id
  const isElsewhere = execution?.execution_id !== undefined && execution_id !== undefined
  if (workflow_step === undefined || workflow_id === undefined || isOther) throw halfStep()
  if (isElsewhere && execution.execution_id !== execution_id) throw halfStep()
  const known = { workflow_id, ...(execution_id !== undefined && { execution_id }) }
  return { execution: execution ?? createExecution(known), workflow_step }
}

/** Tells tokens of different steps apart in a cache; no secret stays in it. */
function nameOf({ handoff, workflow_step, arguments: sent, subject_token }: StepOptions): string {
  const parts = [handoff?.delegation_assertion, workflow_step, sent && canonicalJson(sent), subject_token]
  return sha256Base64url(JSON.stringify(parts.map(part => part ?? null)))
}

function halfStep(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'A step names its workflow_id (or an execution of it) and its workflow_step, and agrees with the handoff.',
    { reason: 'half_a_step' },
  )
}
