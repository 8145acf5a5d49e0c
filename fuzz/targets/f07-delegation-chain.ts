import assert from 'node:assert/strict'
import fc from 'fast-check'
import { z } from 'zod'
import { MUTATIONS } from '../../test/verifier/mutations.ts'
import { type ChainSpec, givenChain, registeredKeys } from '../../test/verifier/proven-chain.ts'
import { chainSpecs } from '../../test/verifier/random-chains.ts'
import { verify } from '../../test/verifier/walk.ts'
import { outcomeOf } from '../outcome.ts'
import { target } from '../target.ts'

const hop = z.object({
  scope: z.string(),
  resource: z.string(),
  workflow_step: z.string().optional(),
  step: z.string().optional(),
  ends: z.number(),
})
const chain = z.object({
  agents: z.array(z.string()),
  hops: z.array(hop),
  execution_id: z.string().optional(),
  scope: z.string(),
  user: z.string().optional(),
})

/** Without an execution, two delegations of one agent to another are each as good as the other. */
function areAlike(one: ChainSpec, other: ChainSpec): boolean {
  return (
    [one, other].every(({ execution_id }) => execution_id === undefined) &&
    one.agents[0] === other.agents[0] &&
    one.agents[1] === other.agents[1]
  )
}

export const delegationChain = target({
  name: 'f07',
  rule: 'a chain verifies, and spliced, cut, reordered or signed by another it never does (protocol.md section 6)',
  input: z.object({
    kind: z.string(),
    chain,
    other: chain,
    chances: z.array(z.int().nonnegative()).min(1),
  }),
  arbitrary: fc.record({
    kind: fc.constantFrom(...Object.keys(MUTATIONS)),
    chain: chainSpecs.map(plain),
    other: chainSpecs.map(plain),
    chances: fc.array(fc.nat(1_000_000), { minLength: 8, maxLength: 8 }),
  }),
  shortRuns: 60,
  async holds({ kind, chain: spec, other, chances }) {
    const [given, foreign] = [givenChain(spec), givenChain(other)]
    const whole = await verify(given.claims)
    assert.equal(whole.ok && whole.anchored, true)
    if (areAlike(spec, other)) return
    let at = 0
    const pick = (n: number) => (chances[at++ % chances.length] ?? 0) % n
    const shown = MUTATIONS[kind]?.(given, foreign, pick)
    if (!shown || (shown.now === undefined && JSON.stringify(shown.claims) === JSON.stringify(given.claims))) return
    const answer = await outcomeOf(() => verify(shown.claims, registeredKeys, shown.now), 'invalid_token')
    assert.ok(!('value' in answer && answer.value.anchored), `${kind} verifies`)
  },
})

/** Without the members that are undefined: what JSON keeps. */
function plain(spec: ChainSpec): z.output<typeof chain> {
  return chain.parse(JSON.parse(JSON.stringify(spec)))
}
