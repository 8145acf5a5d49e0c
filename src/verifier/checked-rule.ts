import { z } from 'zod'
import { isScopeToken } from '../protocol/scope.ts'
import type { RootKeys } from './delegation-proofs.ts'
import type { RevocationSource } from './revocation-source.ts'
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
  allowAsserted: z.boolean().optional(),
  allowKeyless: z.boolean().optional(),
  boundBody: z.boolean().default(false),
  approval: z.literal('json-body').optional(),
  proofs: z.boolean().default(false),
  maxStale: z.int().nonnegative().optional(),
})

/** A rule with every name in a list. */
export type CheckedRule = z.output<typeof ruleSchema>

/** What the verifier can judge by: its options. */
export type RuleMeans = {
  readonly revocation?: RevocationSource
  readonly rootKeys?: RootKeys
  readonly maxStale?: number
}

/** Seconds that knowledge of revocations may be old unless told (protocol.md section 8). */
export const MAX_STALE = 300

/**
 * Reads a rule once and for all, and freezes it. A rule that would not do what it says is a mistake of whoever wrote it,
 * and must not wait for the request that shows it. Throws `TypeError`.
 */
export function checkRule(rule: RouteRule, { revocation, rootKeys, maxStale = MAX_STALE }: RuleMeans): CheckedRule {
  if (typeof rule !== 'object' || rule === null) {
    throw new TypeError('A guard needs a route rule; {} takes every valid token.')
  }
  const empty = Object.entries(rule).find(([, value]) => value === undefined)?.[0]
  if (empty !== undefined) throw new TypeError(`The member ${empty} of a route rule has no value.`)
  const { data, error } = ruleSchema.safeParse(rule)
  if (!data) throw new TypeError(`A route rule is malformed: ${z.prettifyError(error)}`)
  if (namesIntent(data) && data.client_id === undefined) {
    throw new TypeError('A route rule that names a workflow, a step or an agent must name client_id too.')
  }
  // Any client can have its own people approve the same JSON, and this client another step with it.
  if (data.approval && (data.client_id === undefined || data.workflow_step === undefined)) {
    throw new TypeError('A route rule with approval must name client_id and workflow_step too.')
  }
  if (!namesCaller(data) && (data.allowAsserted !== undefined || data.allowKeyless !== undefined)) {
    throw new TypeError('allowAsserted and allowKeyless need a route rule that demands more than a scope.')
  }
  if (data.proofs && !rootKeys) throw new TypeError('A route rule with proofs needs the option rootKeys.')
  if (data.maxStale !== undefined) checkMaxStale(data.maxStale, revocation && maxStale)
  freeze(rule)
  return data
}

/** It is read once: what would be changed later is refused by the language, and not ignored. */
function freeze(rule: object): void {
  for (const value of Object.values(rule)) Object.freeze(value)
  Object.freeze(rule)
}

function checkMaxStale(ofRule: number, ofVerifier: number | undefined): void {
  if (ofVerifier === undefined) throw new TypeError('A route rule with maxStale needs the option revocation.')
  if (ofRule > ofVerifier) throw new TypeError('The maxStale of a route rule is above that of its verifier.')
}

/** Whether it is for somebody: such a rule believes no caller's word, and no mint without a key, unless it says so. */
export function namesCaller(rule: CheckedRule): boolean {
  return rule.client_id !== undefined || rule.proofs || namesIntent(rule)
}

/** Whether it speaks of the intent and not only of client and scope. */
export function namesIntent({ agent_id, workflow_id, workflow_step }: CheckedRule): boolean {
  return agent_id !== undefined || workflow_id !== undefined || workflow_step !== undefined
}
