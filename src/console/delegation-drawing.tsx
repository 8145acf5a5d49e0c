import type { ExecutionView } from '../protocol/execution.ts'
import { type BoxText, boxSize, GraphBox } from './graph-box.tsx'
import { GraphDrawing } from './graph-drawing.tsx'

type Delegation = ExecutionView['delegations'][number]
type Token = ExecutionView['tokens'][number]
type Agent = { readonly chain: readonly string[]; readonly text: BoxText; readonly look: string }

/** More of them are not read any better as a drawing. */
const MOST_DRAWN = 60

/** Who delegated to whom: one box for each agent in each chain, the table below it says the rest. */
export function DelegationDrawing(props: { delegations: readonly Delegation[]; tokens: readonly Token[] }) {
  const { delegations, tokens } = props
  const agents = agentsOf(delegations, tokens)
  if (agents.size > MOST_DRAWN) {
    return <p class="quiet">{agents.size} agents in their chains are too many to draw; the table has them all.</p>
  }
  const nodes = [...agents].map(([id, { text }]) => ({ id, ...boxSize(text) }))
  const edges = [...agents].flatMap(([to, { chain }]) =>
    chain.length === 1 ? [] : [{ from: keyOf(chain.slice(0, -1)), to, kind: 'dependency' as const }],
  )
  return (
    <GraphDrawing label="Graph of the delegations" nodes={nodes} edges={edges}>
      {(id, box) => {
        const agent = agents.get(id)
        return agent && <GraphBox key={id} text={agent.text} box={box} look={agent.look} />
      }}
    </GraphDrawing>
  )
}

/** The agents by their chains, roots too, which nobody delegated to. */
function agentsOf(delegations: readonly Delegation[], tokens: readonly Token[]): ReadonlyMap<string, Agent> {
  const chains = new Map(
    delegations
      .flatMap(({ chain }) => chain.map((_, at) => chain.slice(0, at + 1)))
      .map(chain => [keyOf(chain), chain]),
  )
  return new Map(
    [...chains].map(([key, chain]) => {
      const here = delegations.filter(delegation => keyOf(delegation.chain) === key)
      return [key, agentView(chain, here, tokens)]
    }),
  )
}

function agentView(chain: readonly string[], here: readonly Delegation[], tokens: readonly Token[]): Agent {
  const name = bareName(chain.at(-1) ?? '')
  const steps = [...new Set(here.flatMap(({ workflow_step }) => workflow_step ?? []))]
  const minted = tokens.filter(token => here.some(({ delegation_id }) => delegation_id === token.delegation_id))
  const live = minted.filter(({ status }) => status === 'live').length
  const whose = chain.length === 1 ? 'the root' : steps.length === 0 ? 'no step' : `for ${steps.join(', ')}`
  const fate = fateOf(here)
  const count = minted.length === 0 ? 'no token yet' : `${live} of ${minted.length} tokens live`
  const marks = here.length === 0 ? 'begins the chain' : `${fate} · ${count}`
  const title = [chain.map(bareName).join(' to '), whose, marks].join(', ')
  return { chain, text: { name, whose, marks, title }, look: here.length === 0 ? 'at-open' : `fate-${fate}` }
}

/** Live while one of them is. */
function fateOf(here: readonly Delegation[]): Delegation['status'] {
  const fates = here.map(({ status }) => status)
  return (['live', 'revoked', 'expired'] as const).find(fate => fates.includes(fate)) ?? 'expired'
}

/** The agent_id of `agent:<client_id>:<agent_id>`: all of a chain are of one client. */
export function bareName(subject: string): string {
  return subject.split(':').slice(2).join(':') || subject
}

/** No subject name has a space. */
function keyOf(chain: readonly string[]): string {
  return chain.join(' ')
}
