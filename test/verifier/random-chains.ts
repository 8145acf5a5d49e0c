import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { AGENTS, type ChainSpec, type HopSpec } from './proven-chain.ts'

const STEPS = ['plan', 'patch', 'report']

type Draw = { readonly forward: boolean; readonly keep: number; readonly named: boolean; readonly ends: number }

/** Chains of 1 to 3 hops that hold: within steps they narrow, between steps they hand over. */
export const chainSpecs: fc.Arbitrary<ChainSpec> = fc
  .record({
    agents: fc.shuffledSubarray([...AGENTS.keys()], { minLength: 2, maxLength: 4 }),
    withExecution: fc.boolean(),
    isUsers: fc.boolean(),
    keep: fc.integer({ min: 1, max: 7 }),
    draws: fc.array(
      fc.record({
        forward: fc.boolean(),
        keep: fc.integer({ min: 1, max: 7 }),
        named: fc.boolean(),
        ends: fc.integer({ min: 0, max: 500 }),
      }),
      { minLength: 3, maxLength: 3 },
    ),
  })
  .map(({ agents, withExecution, isUsers, keep, draws }) => {
    const hops = hopsOf(draws.slice(0, agents.length - 1), withExecution)
    return {
      agents,
      hops,
      execution_id: withExecution ? `exe_${randomBytes(16).toString('base64url')}` : undefined,
      scope: narrowed(hops.at(-1)?.scope ?? '', keep),
      user: isUsers ? 'user:corp:anna' : undefined,
    }
  })

function hopsOf(draws: readonly Draw[], withExecution: boolean): readonly HopSpec[] {
  const hops: HopSpec[] = []
  let step = 0
  let ends = 3_000
  for (const [index, draw] of draws.entries()) {
    const before = hops.at(-1)
    const isHandOver = withExecution && draw.forward
    if (isHandOver) step += 1
    const name = STEPS[step] ?? 'last'
    const isNew = !before || isHandOver
    // The first hop names its step, because nobody else can.
    const named = withExecution && (isHandOver || index === 0 || draw.named)
    ends -= draw.ends
    hops.push({
      scope: narrowed(isNew ? scopesOf(name) : before.scope, draw.keep),
      resource: isNew ? `https://${withExecution ? name : 'api'}.example.com` : before.resource,
      workflow_step: named ? name : undefined,
      step: withExecution ? name : undefined,
      ends,
    })
  }
  return hops
}

function scopesOf(step: string): string {
  return ['read', 'write', 'deploy'].map(verb => `${step}:${verb}`).join(' ')
}

/** Some of the scopes, at least one. */
function narrowed(scope: string, keep: number): string {
  const scopes = scope.split(' ')
  const kept = scopes.filter((_, index) => (keep >> index) & 1)
  return (kept.length === 0 ? scopes : kept).join(' ')
}
