import { z } from 'zod'
import { isScopeToken } from '../protocol/scope.ts'
import type { RouteRule } from './route-rule.ts'

const name = z.string().min(1)
const names = z
  .union([name.transform(one => [one]), z.array(name).min(1)])
  .transform((list): readonly string[] => list)
  .optional()

const ruleSchema = z.strictObject({
  scope: z.array(z.string().refine(isScopeToken)).min(1).optional(),
  client_id: names,
  agent_id: names,
  workflow_id: names,
  workflow_step: names,
  allowAsserted: z.boolean().default(false),
  allowKeyless: z.boolean().default(false),
  boundBody: z.boolean().default(false),
  approval: z.literal('json-body').optional(),
  proofs: z.boolean().default(false),
  maxStale: z.int().nonnegative().optional(),
})

/** A rule with every name in a list. */
export type CheckedRule = z.output<typeof ruleSchema>

/** What the verifier can judge by. */
export type RuleMeans = { readonly hasRevocation: boolean; readonly hasRootKeys: boolean }

/**
 * Reads a rule once and for all. A rule that would not do what it says is a mistake of whoever wrote it, and must not
 * wait for the request that shows it. Throws `TypeError`.
 */
export function checkRule(rule: RouteRule, means: RuleMeans): CheckedRule {
  const empty = Object.entries(rule).find(([, value]) => value === undefined)?.[0]
  if (empty !== undefined) throw new TypeError(`The member ${empty} of a route rule has no value.`)
  const { data, error } = ruleSchema.safeParse(rule)
  if (!data) throw new TypeError(`A route rule is malformed: ${z.prettifyError(error)}`)
  if (namesIntent(data) && data.client_id === undefined) {
    throw new TypeError('A route rule that names a workflow, a step or an agent must name client_id too.')
  }
  if (data.proofs && !means.hasRootKeys) throw new TypeError('A route rule with proofs needs the option rootKeys.')
  if (data.maxStale !== undefined && !means.hasRevocation) {
    throw new TypeError('A route rule with maxStale needs the option revocation.')
  }
  return data
}

/** Whether it speaks of the intent and not only of client and scope. */
export function namesIntent({ agent_id, workflow_id, workflow_step }: CheckedRule): boolean {
  return agent_id !== undefined || workflow_id !== undefined || workflow_step !== undefined
}
