import { createHash } from 'node:crypto'
import type { DelegationClaims } from '../../src/protocol/delegation.ts'

/*
 * Signed delegation, written from protocol.md section 6 alone: what the server knows of tokens and assertions, and all the
 * rules that a mint under an assertion breaks.
 */

/** An assertion as it was signed. */
export type Signed = { readonly assertion: string; readonly claims: DelegationClaims; readonly signer: string }

/** An assertion that was presented with success. */
export type Hop = Signed & { readonly step: string | null; readonly parent: Held }

/** A token that was minted; times in epoch seconds. */
export type Held = {
  readonly jti: string
  readonly token: string
  readonly agent: string
  readonly step: string | null
  /** Of the step, counted from 1. */
  readonly entry: number
  readonly execution_id: string | null
  readonly scope: readonly string[]
  readonly resource: string
  readonly iat: number
  readonly exp: number
  /** The assertion under which it was minted. */
  readonly hop?: Hop
}

export type Rights = readonly { readonly resource: string; readonly scope: string }[]

/** What stands before any delegation: who has which key, and what agents and steps may have. */
export type Standing = {
  readonly client_id: string
  readonly jkts: Readonly<Record<string, string>>
  readonly grants: Readonly<Record<string, Rights>>
  /** Absent: a step without a ceiling of its own. */
  readonly ceilings: Readonly<Record<string, Rights>>
  readonly max_children: number
  /** Epoch seconds; null: without an execution. */
  readonly ends: number | null
}

/** What a delegate asks. */
export type Presented = {
  readonly signed: Signed
  readonly agent: string
  readonly step: string | null
  readonly execution_id: string | null
  readonly scope: readonly string[]
  readonly resource: string
  readonly chain?: readonly string[]
  readonly now: number
}

/** Tokens and assertions that the server has accepted. */
export type Forest = { readonly held: readonly Held[]; readonly hops: readonly Hop[] }

const DEPTH = 5
const FIRST_WINDOW = 120
const LONGEST = 3600

/** A token and all from which it came, itself first. */
export function line(held: Held): readonly Held[] {
  return [held, ...(held.hop ? line(held.hop.parent) : [])]
}

/** Bare ids, root first. */
export function chainOf(held: Held): readonly string[] {
  return line(held)
    .map(({ agent }) => agent)
    .toReversed()
}

export function covers(rights: Rights, resource: string, scope: readonly string[]): boolean {
  return scope.every(name => rights.some(pair => pair.resource === resource && pair.scope.split(' ').includes(name)))
}

/** Every rule that this breaks; none: a token is minted under it. Says nothing of steps. */
export function brokenBy(standing: Standing, forest: Forest, asked: Presented): readonly string[] {
  const { claims, assertion, signer } = asked.signed
  const parent = forest.held.find(({ jti }) => jti === claims.parent_jti)
  if (!parent) return ['parent']
  const { now } = asked
  const step = claims.workflow_step ?? parent.step
  const within = step === parent.step
  const chain = [...chainOf(parent), asked.agent]
  const known = forest.hops.find(hop => hop.assertion === assertion)
  const twin = forest.hops.some(hop => sameName(hop.claims, claims) && hop.assertion !== assertion)
  const children = new Set(forest.hops.filter(hop => hop.parent.jti === parent.jti).map(hop => hop.assertion))
  const latest = parent.hop?.claims.exp ?? standing.ends ?? claims.iat + LONGEST
  const above = line(parent).flatMap(({ hop }) => (hop && hop.step === step ? [rightsOf(hop.claims)] : []))
  const held = [{ resource: parent.resource, scope: parent.scope.join(' ') }]
  const ceilings = [
    standing.grants[asked.agent] ?? [],
    ...(step === null ? [] : [standing.ceilings[step] ?? standing.grants[asked.agent] ?? []]),
    rightsOf(claims),
    ...above,
    ...(within ? [held] : []),
  ]
  const rules: Readonly<Record<string, boolean>> = {
    iss: claims.iss !== name(standing, parent.agent),
    sub: claims.sub !== name(standing, asked.agent),
    signer: signer !== standing.jkts[parent.agent],
    holder: claims.jkt !== standing.jkts[asked.agent],
    prev: claims.prev !== (parent.hop && digest(parent.hop.assertion)),
    execution: (claims.execution_id ?? null) !== parent.execution_id || asked.execution_id !== parent.execution_id,
    step: asked.step !== step || (!within && parent.execution_id === null),
    loop: new Set(chain).size < chain.length,
    depth: chain.length - 1 > DEPTH,
    chain: asked.chain !== undefined && asked.chain.join('|') !== chain.join('|'),
    live: claims.iat < parent.iat || claims.iat >= parent.exp,
    late: known === undefined && now - claims.iat > FIRST_WINDOW,
    over: claims.exp <= now,
    long: claims.exp > latest,
    twin,
    children: known === undefined && children.size >= standing.max_children,
    wider: within && !covers(held, claims.resource[0], claims.scope.split(' ')),
    outside: !ceilings.every(rights => covers(rights, asked.resource, asked.scope)),
  }
  return Object.keys(rules).filter(rule => rules[rule])
}

export function name({ client_id }: Standing, agent: string): string {
  return `agent:${client_id}:${agent}`
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** The two hashes and the actors of a chain of subject names (protocol.md section 7). */
export function chainClaims(standing: Standing, chain: readonly string[]) {
  const names = chain.map(agent => name(standing, agent))
  const hex = createHash('sha256').update(chain.join('|')).digest('hex').slice(0, 16)
  return {
    sub: names[0],
    act: actors(names.slice(1)),
    delegation_chain: hex,
    chain_commitment: digest(JSON.stringify(names)),
  }
}

/** The last acts; those before it are nested, newest first. */
function actors(names: readonly string[]): object | undefined {
  const sub = names.at(-1)
  if (sub === undefined) return undefined
  const act = actors(names.slice(0, -1))
  return { sub, sub_profile: 'ai_agent', ...(act && { act }) }
}

function rightsOf({ resource, scope }: DelegationClaims): Rights {
  return [{ resource: resource[0], scope }]
}

function sameName(one: DelegationClaims, other: DelegationClaims): boolean {
  return one.iss === other.iss && one.jti === other.jti
}
