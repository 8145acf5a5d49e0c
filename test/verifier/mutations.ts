import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { delegationDigest } from '../../src/protocol/delegation.ts'
import { chainCommitment, sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { type Chain, CLIENT, type HeldKey, heldKey, keyOf, NOW, signChain, signHop, tokenOf } from './proven-chain.ts'

/** What a verifier is shown instead, and when. */
export type Shown = { readonly claims: AccessTokenClaims; readonly now?: number }

/** Below `n`, by chance. */
export type Pick = (n: number) => number
type Mutation = (chain: Chain, other: Chain, pick: Pick) => Shown | undefined

/** Keys that nobody registered. */
const stolen: readonly HeldKey[] = await Promise.all([heldKey('ES256'), heldKey('Ed25519'), heldKey('ES256')])

function thief(pick: Pick): HeldKey {
  return stolen[pick(stolen.length)] ?? keyOf('writer')
}

function withProofs({ claims }: Chain, proofs: readonly string[]): Shown {
  return { claims: { ...claims, delegation_proofs: [...proofs] } }
}

/** Other values than a hop has, and which of them the next hop or the token could still fit. */
const CHANGES: readonly ((payload: Readonly<Record<string, unknown>>, pick: Pick) => Record<string, unknown>)[] = [
  () => ({ iss: `agent:${CLIENT}:intruder` }),
  () => ({ sub: `agent:${CLIENT}:intruder` }),
  () => ({ aud: 'https://other.example.com' }),
  () => ({ prev: delegationDigest('another') }),
  (_, pick) => ({ jkt: thief(pick).jkt }),
  () => ({ scope: 'admin' }),
  () => ({ resource: ['https://admin.example.com'] }),
  () => ({ resource: [] }),
  () => ({ workflow_step: 'another' }),
  () => ({ execution_id: 'exe_AAAAAAAAAAAAAAAAAAAAAA' }),
  ({ execution_id }) => ({ execution_id: execution_id === undefined ? 'exe_x' : undefined }),
  () => ({ exp: NOW + 90_000 }),
  (_, pick) => ({ exp: NOW - pick(1000) }),
  () => ({ exp: undefined }),
]

/** Everything that could be told of the token itself, were the issuer's signature not there. */
const TOKEN_CHANGES: readonly ((
  claims: AccessTokenClaims,
  pick: Pick,
) => Partial<AccessTokenClaims> | '' | undefined)[] = [
  ({ scope }) => ({ scope: `${scope} admin` }),
  () => ({ aud: 'https://admin.example.com' }),
  () => ({ client_id: 'other-app' }),
  () => ({ exp: NOW + 80_000 }),
  (_, pick) => ({ cnf: { jkt: thief(pick).jkt } }),
  ({ sub }) => (sub.startsWith('user:') ? undefined : { sub: `agent:${CLIENT}:intruder` }),
  ({ act }) => act && { act: { ...act, sub: `agent:${CLIENT}:intruder` } },
  ({ act }) => act && { act: { ...act, act: { sub: 'user:corp:otto' } } },
  ({ intent }) => intent && { intent: { ...intent, executed_by: 'intruder' } },
  // Where no hop names a step the chain proves none, and all its limits hold whatever the step.
  ({ intent }) => intent?.workflow_step && { intent: { ...intent, workflow_step: 'another' } },
  ({ intent }) => intent && { intent: { ...intent, execution_id: 'exe_AAAAAAAAAAAAAAAAAAAAAA' } },
  ({ intent }) => intent && { intent: { ...intent, delegation_chain: sequenceHash(['intruder']) } },
  ({ intent }) => intent && { intent: { ...intent, chain_commitment: chainCommitment(['intruder']) } },
  () => ({ delegation_proofs: undefined }),
  () => ({ intent: undefined }),
  () => ({ cnf: undefined }),
]

/** By the name that attacks.md has for it. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  splice(chain, other, pick) {
    const index = pick(chain.proofs.length)
    return withProofs(chain, chain.proofs.with(index, other.proofs[pick(other.proofs.length)] ?? ''))
  },
  graft(chain, other, pick) {
    const head = other.proofs.slice(0, 1 + pick(other.proofs.length))
    const tail = chain.proofs.slice(pick(chain.proofs.length))
    return withProofs(chain, [...head, ...tail])
  },
  /** The same agents and keys in another run: the whole chain of that, or its end. */
  regraft(chain, _other, pick) {
    const twin = signChain(
      chain.hops.map(({ key, payload }) => ({ key, payload: { ...payload, ...elsewhere(payload) } })),
    )
    const index = pick(chain.proofs.length)
    return withProofs(chain, pick(2) === 0 ? twin : [...chain.proofs.slice(0, index), ...twin.slice(index)])
  },
  truncate(chain, _other, pick) {
    const from = pick(chain.proofs.length)
    return withProofs(chain, chain.proofs.toSpliced(from, 1 + pick(chain.proofs.length)))
  },
  /** The parent shown as the root, with a token that says so too: only the assertion knows what was above it. */
  root(chain, _other, pick) {
    const { agents, hops } = chain.spec
    if (hops.length < 2) return undefined
    const cut = 1 + pick(hops.length - 1)
    const spec = { ...chain.spec, agents: agents.slice(cut), hops: hops.slice(cut) }
    return { claims: tokenOf(spec, chain.proofs.slice(cut)) }
  },
  reorder(chain, _other, pick) {
    const { proofs } = chain
    const [a, b] = [pick(proofs.length), pick(proofs.length)]
    return withProofs(chain, proofs.with(a, proofs[b] ?? '').with(b, proofs[a] ?? ''))
  },
  insert(chain, other, pick) {
    const foreign = other.proofs[pick(other.proofs.length)] ?? ''
    return withProofs(chain, chain.proofs.toSpliced(pick(chain.proofs.length + 1), 0, foreign))
  },
  /** A hop of an intruder's own making, which knows the one before it. */
  intrude(chain, _other, pick) {
    const index = pick(chain.proofs.length + 1)
    const above = chain.proofs[index - 1]
    const near = chain.hops[Math.min(index, chain.hops.length - 1)]?.payload ?? {}
    const prev = above === undefined ? undefined : delegationDigest(above)
    const own = signHop({ key: thief(pick), payload: { ...near, prev, jti: 'own' } })
    return withProofs(chain, chain.proofs.toSpliced(index, pick(2), own))
  },
  duplicate(chain, _other, pick) {
    const index = pick(chain.proofs.length)
    return withProofs(chain, chain.proofs.toSpliced(index, 0, chain.proofs[index] ?? ''))
  },
  /** All of it made again by somebody whose keys nobody registered, the token too. */
  foreignRoot(chain, _other, pick) {
    const own = chain.hops.map(() => thief(pick))
    const end = thief(pick)
    const hops = chain.hops.map(({ payload }, index) => ({
      key: own[index] ?? end,
      payload: { ...payload, jkt: (own[index + 1] ?? end).jkt },
    }))
    return { claims: { ...tokenOf(chain.spec, signChain(hops)), cnf: { jkt: end.jkt } } }
  },
  stale(chain, _other, pick) {
    const hop = chain.spec.hops[pick(chain.spec.hops.length)]
    return { claims: chain.claims, now: NOW + (hop?.ends ?? 0) + pick(100) }
  },
  /** One hop changed and signed anew by another key, which it names or does not. */
  forge(chain, _other, pick) {
    const index = pick(chain.hops.length)
    const hop = chain.hops[index]
    if (!hop) return undefined
    const key = thief(pick)
    const header = pick(2) === 0 ? key.jwk : hop.key.jwk
    const prev = index === 0 ? undefined : delegationDigest(chain.proofs[index - 1] ?? '')
    const payload = { ...hop.payload, prev, ...changed(hop.payload, pick) }
    return withProofs(chain, chain.proofs.with(index, signHop({ key: { ...key, jwk: header }, payload })))
  },
  /** One hop changed by its own signer, who cannot change what came after it, nor what the token says. */
  resign(chain, _other, pick) {
    const index = pick(chain.hops.length)
    const hop = chain.hops[index]
    if (!hop) return undefined
    const prev = index === 0 ? undefined : delegationDigest(chain.proofs[index - 1] ?? '')
    const change = changed(hop.payload, pick)
    // Where no hop is before or after it, a later end is its signer's to give.
    if (chain.hops.length === 1 && change.exp === NOW + 90_000) return undefined
    const payload = { ...hop.payload, prev, ...change }
    return withProofs(chain, chain.proofs.with(index, signHop({ key: hop.key, payload })))
  },
  signature(chain, other, pick) {
    const index = pick(chain.proofs.length)
    const [header = '', payload = '', signature = ''] = (chain.proofs[index] ?? '').split('.')
    const [, , taken = ''] = (other.proofs[pick(other.proofs.length)] ?? '').split('.')
    const flipped = `${signature.slice(0, 20)}${signature.at(20) === 'A' ? 'B' : 'A'}${signature.slice(21)}`
    const wrong = [taken, flipped, '', signature.slice(0, -4)][pick(4)] ?? ''
    return withProofs(chain, chain.proofs.with(index, `${header}.${payload}.${wrong}`))
  },
  token(chain, _other, pick) {
    const change = TOKEN_CHANGES[pick(TOKEN_CHANGES.length)]?.(chain.claims, pick)
    return change ? { claims: { ...chain.claims, ...change } } : undefined
  },
}

function changed(payload: Readonly<Record<string, unknown>>, pick: Pick): Record<string, unknown> {
  return CHANGES[pick(CHANGES.length)]?.(payload, pick) ?? {}
}

/** Another run of the same: with an execution another execution, without one only what nobody can see. */
function elsewhere({ execution_id, exp }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return execution_id === undefined ? { exp: Number(exp) - 3_000 } : { execution_id: 'exe_AAAAAAAAAAAAAAAAAAAAAA' }
}
