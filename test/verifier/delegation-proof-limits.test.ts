import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ChainSpec, givenChain } from './proven-chain.ts'
import { ALL, PLAIN, refused, THREE, verify, withIntent } from './walk.ts'

test('[attack 56] [attack 58] scope and audience lie within the last hop', async () => {
  const { claims } = givenChain(THREE)
  await refused({ ...claims, scope: 'deploy write' }, 'proofs_scope')
  await refused({ ...claims, aud: 'https://other.example.com' }, 'proofs_scope')
})

test('[attack 56] and within every earlier hop of the same step; another step has its own ceiling (section 6)', async () => {
  const inStep: ChainSpec = {
    ...THREE,
    hops: [
      { ...ALL, step: 'plan', workflow_step: 'plan', scope: 'read' },
      { ...ALL, step: 'plan', workflow_step: 'plan', scope: 'read write', ends: 300 },
    ],
    scope: 'read write',
  }
  await refused(givenChain(inStep).claims, 'proofs_scope')
  assert.equal((await verify(givenChain({ ...inStep, scope: 'read' }).claims)).ok, true)
  const elsewhere = [
    { ...ALL, step: 'plan', workflow_step: 'plan', resource: 'https://plan.example.com' },
    THREE.hops[1],
  ]
  const handedOver = { ...THREE, hops: elsewhere.filter(hop => hop !== undefined) }
  assert.equal((await verify(givenChain(handedOver).claims)).ok, true)
})

test('a hop that names no step has that of the hop before (section 6)', async () => {
  const inherited = (last: string | undefined): ChainSpec => ({
    ...THREE,
    agents: ['supervisor', 'planner', 'patcher', 'tester'],
    hops: [
      { ...ALL, step: 'plan', workflow_step: 'plan', scope: 'read' },
      { ...ALL, step: 'plan', scope: 'write' },
      { ...ALL, step: last ?? 'plan', workflow_step: last, scope: 'write' },
    ],
    scope: 'write',
  })
  // In the step of the first two, both of which must then hold; in another step neither does.
  await refused(givenChain(inherited(undefined)).claims, 'proofs_scope')
  assert.equal((await verify(givenChain(inherited('patch')).claims)).ok, true)
})

test('where the first hops name no step their limits always hold (section 6)', async () => {
  const nameless = (scope: string): ChainSpec => ({
    ...THREE,
    hops: [
      { ...ALL, step: 'plan', scope: 'read' },
      { ...ALL, step: 'patch', workflow_step: 'patch', scope: 'read deploy', ends: 300 },
    ],
    scope,
  })
  assert.equal((await verify(givenChain(nameless('read')).claims)).ok, true)
  await refused(givenChain(nameless('deploy')).claims, 'proofs_scope')
  await refused(givenChain({ ...PLAIN, hops: [{ ...ALL, scope: 'write' }, ALL] }).claims, 'proofs_scope')
})

test('[attack 65] the last hop is for the step of the token', async () => {
  const { claims } = givenChain(THREE)
  await refused(withIntent(claims, { workflow_step: 'report' }), 'proofs_step')
  await refused(withIntent(claims, { workflow_step: undefined }), 'proofs_step')
  const nameless = { ...THREE, hops: [THREE.hops[0] ?? ALL, { ...ALL, step: 'plan' }], scope: 'read' }
  await refused(withIntent(givenChain(nameless).claims, { workflow_step: 'report' }), 'proofs_step')
})
