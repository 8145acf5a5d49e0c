import { randomUUID } from 'node:crypto'
import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { DELEGATION_TYP, delegationDigest } from '../../src/protocol/delegation.ts'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { chainCommitment, sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { forge, type TestKey, testKey } from '../protocol/forge.ts'

export const ISSUER = 'https://idp.example.com'
export const CLIENT = 'app'
export const NOW = 1_800_000_000

export type HeldKey = TestKey & { readonly jkt: string }

export async function heldKey(alg: 'ES256' | 'Ed25519'): Promise<HeldKey> {
  const key = testKey(alg)
  return { ...key, jkt: (await importPublicJwk(key.jwk)).jkt }
}

/** Agents by their bare ids, each with its registered key. */
export const AGENTS: ReadonlyMap<string, HeldKey> = new Map(
  await Promise.all(
    ['supervisor', 'planner', 'patcher', 'tester', 'writer'].map(
      async (agent_id, index) => [agent_id, await heldKey(index % 2 === 0 ? 'ES256' : 'Ed25519')] as const,
    ),
  ),
)

export function keyOf(agent_id: string): HeldKey {
  const key = AGENTS.get(agent_id)
  if (!key) throw new Error(`No agent ${agent_id}.`)
  return key
}

export function registeredKeys(client_id: string, agent_id: string): readonly string[] {
  const key = client_id === CLIENT ? AGENTS.get(agent_id) : undefined
  return key ? [key.jkt] : []
}

/** An assertion to be signed; undefined members are left out. */
export type Unsigned = { readonly key: TestKey; readonly payload: Readonly<Record<string, unknown>> }

export function signHop({ key, payload }: Unsigned): string {
  return forge({ alg: key.alg, typ: DELEGATION_TYP, jwk: key.jwk }, payload, key)
}

/** Signs hop after hop, so that each names the one before it. */
export function signChain(hops: readonly Unsigned[]): readonly string[] {
  const proofs: string[] = []
  for (const { key, payload } of hops) {
    const above = proofs.at(-1)
    const prev = above === undefined ? undefined : delegationDigest(above)
    proofs.push(signHop({ key, payload: { ...payload, prev } }))
  }
  return proofs
}

export type HopSpec = {
  readonly scope: string
  readonly resource: string
  /** What the assertion says; `step` is where it leads. */
  readonly workflow_step?: string | undefined
  readonly step?: string | undefined
  /** Seconds from now. */
  readonly ends: number
}

export type ChainSpec = {
  /** Bare ids, root first: one more than there are hops. */
  readonly agents: readonly string[]
  readonly hops: readonly HopSpec[]
  readonly execution_id?: string | undefined
  readonly scope: string
  readonly user?: string | undefined
}

export type Chain = {
  readonly spec: ChainSpec
  readonly claims: AccessTokenClaims
  readonly hops: readonly Unsigned[]
  readonly proofs: readonly string[]
}

/** A chain that holds, and the token minted under it. */
export function givenChain(spec: ChainSpec): Chain {
  const { agents, execution_id } = spec
  const hops = spec.hops.map((hop, index) => ({
    key: keyOf(agents[index] ?? ''),
    payload: {
      iss: agentSubject(CLIENT, agents[index] ?? ''),
      sub: agentSubject(CLIENT, agents[index + 1] ?? ''),
      aud: ISSUER,
      parent_jti: randomUUID(),
      jkt: keyOf(agents[index + 1] ?? '').jkt,
      scope: hop.scope,
      resource: [hop.resource],
      workflow_step: hop.workflow_step,
      execution_id,
      iat: NOW - 60,
      exp: NOW + hop.ends,
      jti: randomUUID(),
    },
  }))
  const proofs = signChain(hops)
  return { spec, hops, proofs, claims: tokenOf(spec, proofs) }
}

/** The token that the issuer signs at the end of these assertions. */
export function tokenOf(spec: ChainSpec, proofs: readonly string[]): AccessTokenClaims {
  const { agents, hops, execution_id, scope, user } = spec
  const names = agents.map(agent_id => agentSubject(CLIENT, agent_id))
  const self = agents.at(-1) ?? ''
  const last = hops.at(-1)
  const workflow = last?.step === undefined ? {} : { workflow_id: 'patch', workflow_step: last.step }
  const actors = (user === undefined ? names.slice(1) : names).reduce<Record<string, unknown> | undefined>(
    (act, sub) => ({ sub, sub_profile: 'ai_agent', ...(act && { act }) }),
    undefined,
  )
  return {
    iss: ISSUER,
    aud: last?.resource ?? 'https://api.example.com',
    client_id: CLIENT,
    sub: user ?? names[0] ?? '',
    sub_profile: user === undefined ? 'ai_agent' : 'user',
    ...(actors && { act: actors }),
    iat: NOW - 1,
    exp: NOW + Math.min(299, last?.ends ?? 299),
    jti: randomUUID(),
    scope,
    cnf: { jkt: keyOf(self).jkt },
    intent: {
      ...workflow,
      executed_by: self,
      delegation_chain: sequenceHash(agents),
      step_sequence_hash: sequenceHash([]),
      state: last?.step === undefined ? 'none' : 'recorded',
      ...(execution_id !== undefined && { execution_id }),
      chain_commitment: chainCommitment(names),
      initiated_by: user ?? names[0] ?? '',
    },
    agent_proof: {
      agent_checksum: `sha256:${'0'.repeat(64)}`,
      registration_id: `reg_${self}`,
      version: 1,
      key: 'registered',
    },
    ...(proofs.length > 0 && { delegation_proofs: [...proofs] }),
  }
}
