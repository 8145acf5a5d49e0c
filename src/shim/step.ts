import { sha256Base64url } from '../protocol/digest.ts'
import { OAuthError } from '../protocol/errors.ts'
import { JWT_TYPE } from '../protocol/grant-types.ts'
import { canonicalJson } from '../protocol/jcs.ts'
import { isJsonObject, type JsonObject, parseStrictJsonText } from '../protocol/json.ts'
import type { StepOptions } from './agent.ts'
import { type Step, surroundingStep } from './agent-context.ts'
import { createExecution, type Execution } from './execution.ts'
import { readHandoff } from './handoff.ts'

type Self = { readonly agent: symbol; readonly sub: string; readonly issuer: string }

/**
 * The step that `run` was given, checked: it is this agent's to begin, and names a whole workflow step. One that names
 * none stays in the agent's step around it, one of the same workflow in the run around it, and both in the task that was
 * handed over. Throws `invalid_request`, `delegation_unauthorized`.
 */
export async function beginStep({ agent, sub, issuer }: Self, given: StepOptions): Promise<Step> {
  // Before anything is waited for: what is asked for is what was said when the step began.
  const options = { ...given, ...(given.arguments && { arguments: copyOf(given.arguments) }) }
  const { handoff, arguments: copy, subject_token, subject_token_type = JWT_TYPE, approvalWait = 0 } = options
  const from = handoff && (await readHandoff(handoff, issuer, sub))
  const around = surroundingStep(agent, from)
  // Unless told, no more is asked than was handed over, or than the agent's work around asks for.
  const scope = options.scope ?? from?.scopes ?? (around?.isOwn ? around.step.scope : undefined)
  if (around?.isOwn && staysWithin(options)) return { ...around.step, ...(scope && { scope }), approvalWait }
  const workflow = workflowOf(options, around?.step.workflow?.execution)
  if (subject_token !== undefined && !workflow && around?.isOwn) {
    throw halfStep('A user starts a run; name the workflow_id and workflow_step of another one.')
  }
  if (copy && !workflow) throw halfStep('Arguments are of a step; name its workflow_id and workflow_step.')
  // Who works under a handoff goes on under it: its limits are not left by another run.
  const delegation = from ?? (around?.isOwn ? around.step.delegation : undefined)
  return {
    name: nameOf(options, delegation?.assertion),
    approvalWait,
    ...(workflow && { workflow }),
    ...(scope && { scope }),
    ...(copy && { arguments: copy }),
    ...(subject_token !== undefined && { subject_token: { token: subject_token, type: subject_token_type } }),
    ...(delegation && { delegation: { assertion: delegation.assertion, exp: delegation.exp } }),
  }
}

function copyOf(sent: JsonObject): JsonObject {
  const copy = parseStrictJsonText(canonicalJson(sent))
  return isJsonObject(copy) ? copy : {}
}

/** Whether no other step, task or user was named. */
function staysWithin({ scope: _scope, resource: _resource, approvalWait: _wait, ...rest }: StepOptions): boolean {
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
  if (workflow_step === undefined) throw halfStep('A workflow was named without a step; name its workflow_step.')
  if (workflow_id === undefined)
    throw halfStep('A step was named without a workflow; name its workflow_id or execution.')
  const execution_id = handoff?.execution_id
  const isAround = around?.workflow_id === workflow_id && (execution_id ?? around.execution_id) === around.execution_id
  const execution = given ?? (isAround ? around : undefined)
  if (execution && execution.workflow_id !== workflow_id) throw disagreement('The execution is of another workflow.')
  const isElsewhere = execution?.execution_id !== undefined && execution_id !== undefined
  if (isElsewhere && execution.execution_id !== execution_id) throw disagreement('The handoff is of another execution.')
  const known = { workflow_id, ...(execution_id !== undefined && { execution_id }) }
  return { execution: execution ?? createExecution(known), workflow_step }
}

/** Tells tokens of different steps apart in a cache; no secret stays in it. */
function nameOf(options: StepOptions, assertion?: string): string {
  const { workflow_step, handoff, arguments: sent, subject_token, subject_token_type } = options
  const step = workflow_step ?? handoff?.workflow_step
  const parts = [assertion, step, sent && canonicalJson(sent), subject_token, subject_token_type]
  return sha256Base64url(JSON.stringify(parts.map(part => part ?? null)))
}

function halfStep(description: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason: 'half_a_step' })
}

function disagreement(what: string): OAuthError {
  return new OAuthError('invalid_request', `${what} Leave out one of the two.`, { reason: 'step_disagrees' })
}
