import { randomUUID } from 'node:crypto'
import type { DelegationClaims } from '../../src/protocol/delegation.ts'
import {
  chainOf,
  covers,
  digest,
  type Forest,
  type Held,
  name,
  type Signed,
  type Standing,
} from './delegation-model.ts'
import { RESOURCES, SCOPES, STEPS, type Wanted } from './real-tree.ts'
import type { TreeCommand } from './tree-commands.ts'

type Delegate = TreeCommand & { kind: 'delegate' }

/** An assertion that is to be signed by an agent's key, and what its presenter asks. */
export type Wish = {
  readonly claims: DelegationClaims
  readonly signer: string
  readonly wanted: Wanted
  readonly parent: Held
  /** Whose token is sent where this is an exchange. */
  readonly subject: Held
}

/** What a command wants of this forest; where it lies, one thing of an honest wish is otherwise. */
export function wishOf(
  { issuer, now }: { issuer: string; now: number },
  standing: Standing,
  { held, hops }: Forest,
  command: Delegate,
): Wish | undefined {
  const { pick, lie } = command
  // Mostly those from which something may be delegated.
  const fertile = held.filter(one => one.exp > now && chainOf(one).length <= 5)
  const among = fertile.length > 0 && pick % 8 > 0 ? fertile : held
  const old = held.filter(one => one.iat < now - 120 && one.exp > now - 121)
  const any = command.parent === 'newest' ? among.at(-1) : choose(among, pick)
  const parent = (lie === 'late' ? choose(old, pick) : undefined) ?? any
  if (!parent) return undefined
  const chain = chainOf(parent)
  const others = Object.keys(standing.jkts).filter(id => !chain.includes(id))
  const handover = choose(
    STEPS.filter(step => step.step_id !== parent.step && others.includes(step.agent_id ?? '')),
    pick,
  )
  const hands = command.hands_over && parent.step !== null ? handover : undefined
  const agent = (lie === 'loop' ? choose(chain, pick) : (hands?.agent_id ?? choose(others, pick))) ?? 'a6'
  const step = hands?.step_id ?? parent.step
  const resource = (hands && choose(resourcesOf(standing, hands.step_id, agent), pick)) ?? parent.resource
  const base = hands ? (SCOPES[resource] ?? []) : parent.scope
  const scope = lie === 'scope' ? (SCOPES[resource] ?? []) : some(base, command.bits)
  const latest = parent.hop?.claims.exp ?? standing.ends ?? now + 3600
  const honest: DelegationClaims = {
    iss: name(standing, parent.agent),
    sub: name(standing, agent),
    aud: issuer,
    parent_jti: parent.jti,
    ...(parent.hop && { prev: digest(parent.hop.assertion) }),
    jkt: standing.jkts[agent] ?? '',
    scope: scope.join(' '),
    resource: [resource],
    // Absent, it is the parent's.
    ...(step !== null && (hands || pick % 2 === 0) && { workflow_step: step }),
    ...(parent.execution_id !== null && { execution_id: parent.execution_id }),
    iat: now,
    exp: Math.max(now + 1, Math.min(now + command.seconds, latest)),
    jti: randomUUID(),
  }
  const own = STEPS.find(one => one.agent_id === agent)?.step_id
  const stranger = choose(others, pick + 1) ?? 'a6'
  const other = choose(held, pick * 7 + 3) ?? parent
  const twin = hops.find(hop => hop.claims.iss === honest.iss)
  const lies: Partial<Record<string, Partial<DelegationClaims>>> = {
    exp: { exp: latest + 1 },
    'other prev': { prev: digest(hops.at(pick % Math.max(1, hops.length))?.assertion ?? 'none') },
    jkt: { jkt: standing.jkts[stranger] ?? '' },
    iss: { iss: name(standing, stranger) },
    sub: { sub: name(standing, stranger) },
    // Handed over without an execution, to the agent of a step.
    step: parent.step === null && own ? { workflow_step: own } : {},
    parent: { parent_jti: other.jti },
    execution: { execution_id: `exe_${'A'.repeat(22)}` },
    stale: { iat: parent.exp, exp: Math.max(honest.exp, parent.exp + 1) },
    late: { iat: now - 121 },
    twin: twin ? { jti: twin.claims.jti } : {},
  }
  const { prev, ...unlinked } = honest
  const claims = lie === 'prev' && prev !== undefined ? unlinked : { ...honest, ...(lie && lies[lie]) }
  const presenter = lie === 'holder' ? stranger : agent
  const whole = [...chain, presenter]
  return {
    parent,
    subject: lie === 'subject' ? other : parent,
    claims,
    signer: lie === 'signer' ? stranger : parent.agent,
    wanted: {
      agent: presenter,
      step: lie === 'step' ? ((parent.step === null ? own : choose(STEPS, pick + 1)?.step_id) ?? null) : step,
      execution_id: parent.execution_id,
      resource: lie === 'audience' ? (RESOURCES.find(one => one !== resource) ?? resource) : resource,
      scope:
        lie === 'asks more'
          ? (SCOPES[resource] ?? [])
          : asked(standing, { agent, step, resource, scope }, command.asks),
      ...(lie === 'chain' && { chain: whole.slice(1).toReversed() }),
      ...(lie === undefined && pick % 5 === 0 && { chain: whole }),
    },
  }
}

/** Those of which a step and its agent may have something. */
function resourcesOf({ grants, ceilings }: Standing, step: string, agent: string): readonly string[] {
  const rights = [grants[agent] ?? [], ceilings[step] ?? grants[agent] ?? []]
  return RESOURCES.filter(resource =>
    (SCOPES[resource] ?? []).some(scope => rights.every(one => covers(one, resource, [scope]))),
  )
}

/** The same assertion again, by its holder. */
export function repeated({ hops }: Forest, standing: Standing, command: TreeCommand & { kind: 'repeat' }) {
  const hop = choose(hops, command.pick)
  if (!hop) return undefined
  const { claims, step, parent } = hop
  const agent = claims.sub.slice(claims.sub.lastIndexOf(':') + 1)
  const [resource] = claims.resource
  const scope = asked(standing, { agent, step, resource, scope: claims.scope.split(' ') }, command.asks)
  const signed: Signed = hop
  return {
    parent,
    subject: parent,
    signed,
    wanted: { agent, step, execution_id: parent.execution_id, resource, scope },
  }
}

/** Some of what agent and step may have of it; all of it where they may have none. */
function asked(
  { grants, ceilings }: Standing,
  { agent, step, resource, scope }: { agent: string; step: string | null; resource: string; scope: readonly string[] },
  bits: number,
): readonly string[] {
  const may = [grants[agent] ?? [], ...(step !== null && ceilings[step] ? [ceilings[step]] : [])]
  const allowed = scope.filter(one => may.every(rights => covers(rights, resource, [one])))
  return some(allowed.length > 0 ? allowed : scope, bits)
}

/** Those that the bits choose, else all. */
export function some(names: readonly string[], bits: number): readonly string[] {
  const chosen = names.filter((_, at) => (bits >> at) % 2 === 1)
  return chosen.length > 0 ? chosen : names
}

export function choose<T>(among: readonly T[], pick: number): T | undefined {
  return among[pick % Math.max(1, among.length)]
}
