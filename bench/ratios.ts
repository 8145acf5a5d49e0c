import type { Rounds } from './alternate.ts'
import { type Estimate, pairedRatio } from './figures.ts'

/** One comparison within each round; `bound` is the least that it must come to. */
export type Ratio = Estimate & { readonly of: string; readonly to: string; readonly bound?: number }

const [BARE, OIDC] = ['client_credentials/bare', 'client_credentials/oidc_provider']

/** Who is compared with whom, and the least that was promised. */
const COMPARED: readonly (readonly [of: string, to: string, bound?: number])[] = [
  ['client_credentials', BARE, 0.6],
  ['client_credentials', OIDC, 1.8],
  ['agent', BARE, 0.6],
  ['agent', OIDC, 1.8],
  ['agent_delegated', BARE, 0.4],
  ['agent_delegated', OIDC],
  ['introspection_basic', 'agent', 2],
  ['introspection_private_key_jwt', 'agent', 1.1],
  ['jwks', 'agent', 5],
  ['verification', 'verification/bare'],
]

/** The ratios of what was measured. */
export function ratiosOf(rounds: Rounds): readonly Ratio[] {
  return COMPARED.flatMap(([of, to, bound]) => {
    const [ones, others] = [rounds.get(of), rounds.get(to)]
    if (!ones || !others) return []
    return [{ of, to, ...pairedRatio(ones, others), ...(bound !== undefined && { bound }) }]
  })
}

/** Every name that takes part in a comparison of these workloads, and these themselves. */
export function comparedWith(workloads: readonly string[]): ReadonlySet<string> {
  const compared = COMPARED.filter(([of]) => workloads.includes(of))
  return new Set([...compared.map(([of]) => of), ...compared.map(([, to]) => to)])
}

export const WORKLOADS = [...new Set(COMPARED.map(([of]) => of))]
