import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessTokenClaims } from '../../src/protocol/claims.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { chainCommitment, sequenceHash } from '../../src/protocol/sequence-hash.ts'
import type { RootKeys } from '../../src/verifier/delegation-proofs.ts'
import { forge, testKey } from '../protocol/forge.ts'
import {
  type ChainSpec,
  givenChain,
  heldKey,
  keyOf,
  NOW,
  registeredKeys,
  signChain,
  signHop,
  tokenOf,
} from './proven-chain.ts'
import { ALL, API, PLAIN, refused, THREE, verify, withIntent } from './walk.ts'

/** The chain with members of one hop changed by its own signer, and all hops after it made again. */
function remade(spec: ChainSpec, index: number, changes: Readonly<Record<string, unknown>>): AccessTokenClaims {
  const { hops } = givenChain(spec)
  const changed = hops.map((hop, at) => (at === index ? { ...hop, payload: { ...hop.payload, ...changes } } : hop))
  return tokenOf(spec, signChain(changed))
}

test('the chain is that of the signatures, and anchored at a registered key (section 6, Offline)', async () => {
  const names = ['agent:app:supervisor', 'agent:app:planner', 'agent:app:patcher']
  for (const spec of [THREE, PLAIN, { ...THREE, user: 'user:corp:anna' }]) {
    assert.deepEqual(await verify(givenChain(spec).claims), { ok: true, chain: names, anchored: true })
  }
})

test('a draft token is bound by its key itself, and its bare sub names no other agent (section 7)', async () => {
  const { claims } = givenChain(THREE)
  const { sub_profile: _, act: _act, ...rest } = claims
  const draft = { ...rest, sub: 'patcher', cnf: { jwk: keyOf('patcher').jwk } }
  assert.equal((await verify(draft)).anchored, true)
  await refused({ ...draft, cnf: { jwk: keyOf('planner').jwk } }, 'proofs_key')
  await refused({ ...draft, cnf: { jwk: { kty: 'oct' } } }, 'weak_or_unknown_key')
})

test('a token that nobody delegated has the chain of its one agent, anchored by the key it is bound to', async () => {
  const { claims } = givenChain({ agents: ['planner'], hops: [], scope: 'read' })
  assert.deepEqual(await verify(claims), { ok: true, chain: ['agent:app:planner'], anchored: true })
  const endorsed = { ...claims, cnf: { jkt: (await heldKey('ES256')).jkt } }
  assert.deepEqual(await verify(endorsed), { ok: true, chain: ['agent:app:planner'], anchored: false })
  // Its delegation_chain may be the caller's word, which binds nothing.
  assert.equal((await verify(withIntent(claims, { delegation_chain: sequenceHash(['x', 'planner']) }))).ok, true)
})

test('[attack 63] a delegated token without its proofs, or with fewer, is not proven', async () => {
  const { claims, proofs } = givenChain(THREE)
  const { delegation_proofs: _, ...bare } = claims
  await refused(bare, 'proofs_chain')
  await refused({ ...claims, delegation_proofs: [] }, 'proofs_chain')
  await refused({ ...claims, delegation_proofs: proofs.slice(1) }, 'proofs_prev')
  await refused({ ...claims, delegation_proofs: proofs.slice(0, 1) }, 'proofs_end')
})

test('[attack 63] the root has no prev: a parent shown as the root is refused (section 6)', async () => {
  const { proofs } = givenChain(THREE)
  const shortened = { ...THREE, agents: THREE.agents.slice(1), hops: THREE.hops.slice(1) }
  await refused(tokenOf(shortened, proofs.slice(1)), 'proofs_prev')
})

test('a token of no agent, or bound to no key, has no proofs', async () => {
  const { claims } = givenChain(THREE)
  const { intent: _, ...client } = claims
  await refused(client, 'proofs_without_agent')
  const { cnf: _cnf, ...unbound } = claims
  await refused(unbound, 'proofs_without_agent')
  await refused(withIntent(claims, { executed_by: 'a|b' }), 'subject_name')
})

test('an unknown root is said to be unanchored; its keys are asked for by client, agent and thumbprint', async () => {
  const { claims } = givenChain(THREE)
  const asked: string[][] = []
  const none: RootKeys = (...question) => {
    asked.push(question)
    return []
  }
  assert.equal((await verify(claims, none)).anchored, false)
  assert.deepEqual(asked, [['app', 'supervisor', keyOf('supervisor').jkt]])
  const others = (_: string, agent_id: string) => registeredKeys('app', agent_id === 'supervisor' ? 'planner' : '')
  assert.equal((await verify(claims, others)).anchored, false)
})

test('[attack 62] [attack 64] prev is the hash of the hop before: reordered, doubled and spliced hops are refused', async () => {
  const { claims, proofs } = givenChain(THREE)
  const [first = '', second = ''] = proofs
  const shown = (...delegation_proofs: string[]) => ({ ...claims, delegation_proofs })
  await refused(shown(second, first), 'proofs_prev')
  await refused(shown(first, first, second), 'proofs_prev')
  // Same agents, same keys, another first hop.
  await refused(shown(givenChain(THREE).proofs[0] ?? '', second), 'proofs_prev')
  const { hops } = givenChain(THREE)
  const named = signHop({ key: keyOf('supervisor'), payload: { ...hops[0]?.payload, prev: 'A'.repeat(43) } })
  await refused(shown(named, second), 'proofs_prev')
})

test('[attack 62] each hop is by the one whom the hop before named, and with the key that it named', async () => {
  await refused(remade(THREE, 0, { sub: 'agent:app:tester' }), 'proofs_iss')
  await refused(remade(THREE, 0, { jkt: keyOf('tester').jkt }), 'proofs_key')
})

test('the last hop is of the agent and the key of the token', async () => {
  await refused(remade(THREE, 1, { sub: 'agent:app:tester' }), 'proofs_end')
  await refused(remade(THREE, 1, { jkt: keyOf('tester').jkt }), 'proofs_key')
  const { claims } = givenChain(THREE)
  await refused({ ...claims, cnf: { jkt: keyOf('planner').jkt } }, 'proofs_key')
  await refused(withIntent(claims, { executed_by: 'planner' }), 'proofs_end')
})

test('the key of a delegated token is registered, too: an endorsed one is refused, whatever its hops (section 6, Offline)', async () => {
  const { claims } = givenChain(THREE)
  const { agent_proof, ...unsaid } = claims
  assert.ok(agent_proof)
  for (const key of ['endorsed', 'none'] as const) {
    await refused({ ...claims, agent_proof: { ...agent_proof, key } }, 'proofs_end_key')
  }
  await refused(unsaid, 'proofs_end_key')
  // A chain of one has no hop to prove: its key anchors it or not.
  const alone = givenChain({ agents: ['planner'], hops: [], scope: 'read' }).claims
  const cnf = { jkt: (await heldKey('ES256')).jkt }
  const endorsed = { ...alone, cnf, agent_proof: { ...agent_proof, key: 'endorsed' as const } }
  assert.deepEqual(await verify(endorsed), { ok: true, chain: ['agent:app:planner'], anchored: false })
})

test('[attack 65] every hop is of the execution of the token, or none is of any', async () => {
  const other = { execution_id: 'exe_BBBBBBBBBBBBBBBBBBBBBB' }
  await refused(remade(THREE, 0, other), 'proofs_execution')
  await refused(remade(THREE, 1, { execution_id: undefined }), 'proofs_execution')
  await refused(remade(PLAIN, 0, other), 'proofs_execution')
  await refused(withIntent(givenChain(THREE).claims, other), 'proofs_execution')
})

test('[attack 59] no hop outlives the one before it, the token none of them, and a stale hop ends it', async () => {
  await refused(remade(THREE, 1, { exp: NOW + 601 }), 'proofs_outlive')
  const { claims } = givenChain(THREE)
  await refused({ ...claims, exp: NOW + 301 }, 'proofs_outlive')
  assert.equal((await verify(claims, registeredKeys, NOW + 298)).ok, true)
  await refused({ ...claims, exp: NOW + 300 }, 'proofs_stale', NOW + 300)
})

test('[attack 55] [attack 64] agents of one client, each once', async () => {
  const loop = { ...PLAIN, agents: ['supervisor', 'planner', 'supervisor'] }
  await refused(givenChain(loop).claims, 'proofs_agents')
  const { claims, hops } = givenChain({ ...PLAIN, agents: ['supervisor', 'planner'], hops: [ALL] })
  for (const iss of ['user:corp:anna', 'agent:other-app:supervisor', 'app']) {
    const [hop] = hops.map(({ key, payload }) => signHop({ key, payload: { ...payload, iss } }))
    const chain = [iss, 'agent:app:planner']
    const said = withIntent(claims, { chain_commitment: chainCommitment(chain), delegation_chain: sequenceHash(chain) })
    await refused({ ...said, sub: iss, delegation_proofs: [hop ?? ''] }, 'proofs_agents')
  }
})

test('[attack 67] the token says the same chain: commitment, hash, sub and act', async () => {
  const { claims } = givenChain({ ...THREE, user: 'user:corp:anna' })
  await refused(withIntent(claims, { chain_commitment: chainCommitment(['agent:app:patcher']) }), 'proofs_chain')
  await refused(withIntent(claims, { delegation_chain: sequenceHash(['patcher']) }), 'proofs_chain')
  await refused({ ...claims, sub: 'agent:app:patcher' }, 'proofs_chain')
  const act = (...names: unknown[]) =>
    names.reduceRight<object | undefined>((inner, sub) => ({ sub, ...(inner && { act: inner }) }), undefined)
  const [root, middle, self] = ['agent:app:supervisor', 'agent:app:planner', 'agent:app:patcher']
  const shown = (...names: unknown[]) => ({ ...claims, act: { ...act(...names) } })
  assert.equal((await verify(shown(self))).ok, true)
  assert.equal((await verify(shown(self, middle, root))).ok, true)
  for (const wrong of [[middle], [self, root], [self, middle, root, root], [self, 7], ['user:corp:anna']]) {
    await refused(shown(...wrong), 'proofs_chain')
  }
  await refused({ ...claims, act: { sub: self, act: 'planner' } }, 'proofs_chain')
})

test('an assertion is one of this issuer, of its kind, and signed by the key in its header', async () => {
  const { claims, hops } = givenChain({ ...PLAIN, agents: ['supervisor', 'planner'], hops: [ALL] })
  const [hop] = hops
  const key = keyOf('supervisor')
  const payload = { ...hop?.payload }
  const shown = (header: object, changes: object = {}, signer = key) => ({
    ...claims,
    delegation_proofs: [
      forge({ alg: key.alg, typ: 'delegation+jwt', jwk: key.jwk, ...header }, { ...payload, ...changes }, signer),
    ],
  })
  assert.equal((await verify(shown({}))).anchored, true)
  await refused(shown({}, { aud: 'https://other.example.com' }), 'delegation_audience')
  await refused(shown({ typ: 'dpop+jwt' }), 'jws_typ')
  await refused(shown({ alg: 'none' }), 'jws_alg')
  await refused(shown({}, {}, { ...testKey('ES256'), jkt: key.jkt }), 'jws_signature')
  await refused(shown({}, { resource: [API, API] }), 'delegation_claims')
})

test('[attack 54] [attack 70] more than 3 hops are refused before any signature is looked at', async () => {
  const { claims, proofs } = givenChain(THREE)
  const many = Array.from({ length: 10_000 }, () => proofs[0] ?? '')
  await refused({ ...claims, delegation_proofs: many }, 'proofs_too_many')
  // Whatever is looked at has another reason: none of these is.
  await refused({ ...claims, delegation_proofs: ['x', 'x', 'x', 'x'] }, 'proofs_too_many')
  await refused({ ...claims, delegation_proofs: ['x', 'x', 'x'] }, 'malformed_jws')
})

test('whatever is shown, only one kind of error leaves (section 8)', async () => {
  const { claims } = givenChain(THREE)
  for (const delegation_proofs of [[''], ['a.b.c'], ['\u0000'], ['é'.repeat(20_000)]]) {
    await assert.rejects(
      verify({ ...claims, delegation_proofs }),
      error => error instanceof OAuthError && error.code === 'invalid_token',
    )
  }
})
