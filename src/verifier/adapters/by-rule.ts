import type { RouteRule } from '../route-rule.ts'
import type { Judgement } from './resource-guard.ts'

/** Judges by a rule. A request that was let pass before is judged by the further rule alone: its proof is used. */
export function byRule(rule: RouteRule): Judgement {
  return async (presented, verifier, before) =>
    before ? await verifier.check(before, rule, presented) : await verifier.verify(presented, rule)
}
