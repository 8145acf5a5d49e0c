import type { ExecutionView } from '../protocol/execution.ts'
import { lineText } from './output.ts'

type Delegation = ExecutionView['delegations'][number]
type Token = ExecutionView['tokens'][number]

/**
 * Who delegated to whom, as an indented tree: each agent below the one it has its task from, with the step, the scope
 * and the tokens of each delegation to it, the oldest first.
 */
export function delegationTree(delegations: readonly Delegation[], tokens: readonly Token[]): string {
  if (delegations.length === 0) return '(none)'
  const oldest = delegations.toReversed()
  const byChain = new Map(oldest.map(delegation => [keyOf(delegation.chain), delegation.chain]))
  // Of the newest delegations those above may be left out: their agents stand there all the same.
  const chains = [...byChain.values()].flatMap(chain => chain.map((_, at) => chain.slice(0, at + 1)))
  const nodes = new Map(chains.map(chain => [keyOf(chain), chain]))
  const draw = (above: readonly string[]): string[] =>
    [...nodes.values()]
      .filter(chain => chain.length === above.length + 1 && keyOf(chain.slice(0, -1)) === keyOf(above))
      .flatMap(chain => [
        ...nodeLines(
          chain,
          oldest.filter(delegation => keyOf(delegation.chain) === keyOf(chain)),
          tokens,
        ),
        ...draw(chain),
      ])
  return draw([]).join('\n')
}

function nodeLines(chain: readonly string[], delegations: readonly Delegation[], tokens: readonly Token[]): string[] {
  const depth = chain.length - 1
  const indent = depth === 0 ? '' : `${'   '.repeat(depth - 1)}└─ `
  const [agent] = chain.slice(-1)
  const below = '   '.repeat(depth)
  return [
    `${indent}${lineText([agent])}`,
    ...delegations.map(delegation => `${below}   ${delegationText(delegation, tokens)}`),
  ]
}

function delegationText(delegation: Delegation, tokens: readonly Token[]): string {
  const { delegation_id, workflow_step, scope, resource, status, expires_at } = delegation
  const minted = tokens.filter(token => token.delegation_id === delegation_id).length
  return lineText([
    ...(workflow_step === null ? [] : [`for ${workflow_step}`]),
    `${scope} at ${resource}`,
    `${minted} ${minted === 1 ? 'token' : 'tokens'}`,
    status === 'live' ? `live until ${expires_at}` : status,
  ])
}

/** No subject name has a space. */
function keyOf(chain: readonly string[]): string {
  return chain.join(' ')
}
