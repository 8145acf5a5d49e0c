import fc from 'fast-check'
import { OAuthError } from '../../src/protocol/errors.ts'
import type { WorkflowStep } from '../../src/protocol/workflow.ts'
import { validateDefinition } from '../../src/server/registry/workflow-definition.ts'

export const AGENTS = ['ann', 'bob', 'cy'] as const

/** How often things are in a definition, of 100. */
type Shape = {
  readonly least: number
  readonly most: number
  readonly gates: number
  readonly required: number
  readonly dependencies: number
}

/** Definitions that may be registered (protocol.md section 5), by how they are made up. */
export function workflows(shape: Shape): fc.Arbitrary<readonly WorkflowStep[]> {
  return definitions(shape).filter(isValid)
}

/** Definitions that are well-formed; some of them could not be carried out. */
export function definitions(shape: Shape): fc.Arbitrary<readonly WorkflowStep[]> {
  const rules = fc.record({
    gate: percent(shape.gates),
    agent: fc.constantFrom(...AGENTS),
    required: percent(shape.required),
    approval: percent(30),
    repeatable: fc.constantFrom(true, true, false, undefined),
    reversible: fc.constantFrom(true, true, true, undefined, false),
    // What a step depends on: steps of a lower rank, wherever they stand.
    rank: fc.nat(99),
    wishes: fc.array(percent(shape.dependencies), { minLength: shape.most, maxLength: shape.most }),
  })
  return fc.array(rules, { minLength: shape.least, maxLength: shape.most, size: 'max' }).map(drafts =>
    drafts.map((draft, index): WorkflowStep => {
      const { gate, agent, required, approval, repeatable, reversible } = draft
      const hasGate = drafts.slice(0, index).some(before => before.gate)
      return {
        step_id: `s${index}`,
        ...(!gate && { agent_id: agent }),
        required,
        requires_approval: approval && hasGate,
        approval_gate: gate,
        dependencies: drafts
          .map((other, at) => (other.rank < draft.rank && draft.wishes[at] ? `s${at}` : ''))
          .filter(id => id !== ''),
        ...(repeatable !== undefined && { repeatable }),
        ...(reversible !== undefined && { reversible }),
      }
    }),
  )
}

function isValid(steps: readonly WorkflowStep[]): boolean {
  return reasonAgainst(steps) === undefined
}

/** Why the server would not keep it. */
export function reasonAgainst(steps: readonly WorkflowStep[]): string | undefined {
  try {
    validateDefinition(steps, new Set(AGENTS), { access: [], recorded: true })
    return undefined
  } catch (error) {
    if (error instanceof OAuthError) return error.reason
    throw error
  }
}

export function percent(share: number): fc.Arbitrary<boolean> {
  return fc.nat(99).map(value => value < share)
}
