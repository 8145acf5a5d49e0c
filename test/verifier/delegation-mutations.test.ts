import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OAuthError } from '../../src/protocol/errors.ts'
import { verifyDelegationProofs } from '../../src/verifier/delegation-proofs.ts'
import { MUTATIONS, type Shown } from './mutations.ts'
import { CLIENT, givenChain, ISSUER, NOW, registeredKeys } from './proven-chain.ts'
import { chainSpecs } from './random-chains.ts'

const SEED = Math.floor(Math.random() * 2 ** 31)
// Without an execution, two delegations of one agent to another are each as good as the other: one of each pair.
const CHAINS = uniqueBy(
  fc.sample(chainSpecs, { numRuns: 80, seed: SEED }),
  ({ agents, execution_id = '' }) => `${agents[0]} ${agents[1]} ${execution_id}`,
).map(givenChain)
/** 10,000 in all. */
const PIECES = 10
const RUNS = 1_000

function uniqueBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return [...new Map(items.map(item => [keyOf(item), item])).values()]
}

async function verify({ claims, now = NOW }: Shown) {
  return await verifyDelegationProofs(claims, {
    issuer: ISSUER,
    rootKeys: registeredKeys,
    now: () => new Date(now * 1000),
  })
}

test('chains of 1 to 3 hops verify: within steps, over steps, with and without a user (protocol.md section 6)', async () => {
  const lengths = new Set<number>()
  for (const chain of CHAINS) {
    const names = chain.spec.agents.map(agent_id => `agent:${CLIENT}:${agent_id}`)
    assert.deepEqual(await verify(chain), { ok: true, chain: names, anchored: true }, `seed ${SEED}`)
    lengths.add(chain.proofs.length)
  }
  assert.deepEqual([...lengths].sort(), [1, 2, 3])
})

const seen = new Map<string, number>()

for (let piece = 1; piece <= PIECES; piece += 1) {
  test(`[attack 62] [attack 63] [attack 64] [attack 65] 1,000 mutations of chains: none verifies (piece ${piece})`, async () => {
    const drawn = fc.record({
      kind: fc.constantFrom(...Object.keys(MUTATIONS)),
      chain: fc.nat(CHAINS.length - 1),
      other: fc.nat(CHAINS.length - 1),
      chances: fc.array(fc.nat(1_000_000), { minLength: 8, maxLength: 8 }),
    })
    let count = 0
    await fc.assert(
      fc.asyncProperty(drawn, async ({ kind, chain: index, other, chances }) => {
        const [chain, foreign] = [CHAINS[index], CHAINS[other]]
        let at = 0
        const pick = (n: number) => (chances[at++ % chances.length] ?? 0) % n
        const shown = chain && foreign && MUTATIONS[kind]?.(chain, foreign, pick)
        const isSame = shown?.now === undefined && JSON.stringify(shown?.claims) === JSON.stringify(chain?.claims)
        fc.pre(shown !== undefined && !isSame)
        count += 1
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        const result = await outcome(shown)
        assert.notEqual(result, 'verified', `seed ${SEED}`)
      }),
      { numRuns: RUNS },
    )
    assert.ok(count >= RUNS, `${count} mutations`)
  })
}

test('every kind of mutation was tried', () => {
  for (const kind of Object.keys(MUTATIONS)) assert.ok((seen.get(kind) ?? 0) > 50, `${kind}: ${seen.get(kind)}`)
})

/** A chain of which nobody but the issuer knows the root is not proven either. */
async function outcome(shown: Shown): Promise<string> {
  try {
    return (await verify(shown)).anchored ? 'verified' : 'unanchored'
  } catch (error) {
    if (error instanceof OAuthError && error.code === 'invalid_token') return error.reason
    throw error
  }
}
