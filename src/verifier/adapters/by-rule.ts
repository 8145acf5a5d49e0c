import type { RouteRule } from '../route-rule.ts'
import type { Judgement, Presented } from './resource-guard.ts'

/** Judges by a rule. A request that was let pass before is judged by the further rule alone: its proof is used. */
export function byRule(rule: RouteRule): Judgement {
  return async (presented, verifier, before) => {
    const request = rule.approval ? { ...presented, body: jsonOf(presented) } : presented
    return before ? await verifier.check(before, rule, request) : await verifier.verify(request, rule)
  }
}

function jsonOf({ body, checkJson }: Presented): Presented['body'] {
  return async () => {
    checkJson()
    return await body()
  }
}
