import type { AccessTokenClaims } from '../protocol/claims.ts'
import { type CheckedRule, namesCaller, namesIntent } from './checked-rule.ts'
import { intentDenied, scopeRefused } from './refused.ts'

/**
 * Whether the token is of the client, agent and step that a route is for (protocol.md section 8). Names of agents and
 * workflows count only with the client's: another may use the same (attacks.md 122). Throws `intent_denied`.
 */
export function checkIntent(rule: CheckedRule, { client_id, intent, agent_proof }: AccessTokenClaims): void {
  if (!isNamed(rule.client_id, client_id)) throw intentDenied('rule_client')
  if (namesIntent(rule)) {
    if (!intent) throw intentDenied('rule_intent')
    if (!isNamed(rule.agent_id, intent.executed_by)) throw intentDenied('rule_agent')
    if (!isNamed(rule.workflow_id, intent.workflow_id)) throw intentDenied('rule_workflow')
    if (!isNamed(rule.workflow_step, intent.workflow_step)) throw intentDenied('rule_step')
  }
  if (!namesCaller(rule)) return
  // A client's own token has neither: it says nothing of steps, and its client was authenticated.
  if (!intent && !agent_proof) return
  if (intent?.state === 'asserted' && !rule.allowAsserted) throw intentDenied('rule_state')
  if ((agent_proof?.key ?? 'none') === 'none' && !rule.allowKeyless) throw intentDenied('rule_key')
}

/** Throws `insufficient_scope`. */
export function checkScope({ scope = [] }: CheckedRule, ofCall: readonly string[]): void {
  if (!scope.every(token => ofCall.includes(token))) throw scopeRefused('rule_scope')
}

function isNamed(names: readonly string[] | undefined, name: string | undefined): boolean {
  return names === undefined || (name !== undefined && names.includes(name))
}
