import assert from 'node:assert/strict'
import { test } from 'node:test'
import { remoteAgentKeys } from '../../src/verifier/agent-keys.ts'
import { createVerifier } from '../../src/verifier/verify.ts'
import { countVerifications } from '../support/count-verifications.ts'
import { delegate, givenCrew, type Minted, mint, mintAttempt, mintChain, PROOFS_API } from '../token/delegating.ts'
import { proofOf, send, signed } from './attempt.ts'
import { tokenHash } from './given.ts'

/* What a presentation costs in signatures (attacks.md 70), counted where they are verified: whoever sends, it is no more. */

const { world, agents } = await givenCrew()
const { issuer, ctx } = world.app
const { now } = ctx
const URL_HERE = `${PROOFS_API}/files`
const proofs = { resource: PROOFS_API }

/** Of the API, with the keys of the issuer: as one that has just been started. */
function api() {
  return createVerifier({ issuer, audience: PROOFS_API, rootKeys: remoteAgentKeys(issuer, { now }), now })
}

/** A call with the token, and a proof of its own. */
function call({ token, key }: Minted) {
  const proof = proofOf(world, key, '/')
  Object.assign(proof.payload, { htm: 'GET', htu: URL_HERE, ath: tokenHash(token) })
  return { authorization: `DPoP ${token}`, dpop: signed(proof), method: 'GET', url: URL_HERE }
}

test('[attack 70] an API verifies two signatures a call, and one a hop of the proofs it asks for: never more (section 8)', async t => {
  const minted = await mintChain(world, agents.slice(0, 4), proofs)
  assert.equal(minted.length, 4)
  const count = countVerifications(t)
  for (const [hops, token] of minted.entries()) {
    const verifier = api()
    const calls = [call(token), call(token), call(token)] as const
    count()
    const { chain } = await verifier.verify(calls[0], { proofs: true })
    assert.deepEqual([chain?.length, count()], [hops + 1, hops + 2])
    // A token whose signature held is known (section 8); its hops are walked again.
    await verifier.verify(calls[1], { proofs: true })
    assert.ok(count() <= hops + 2)
    await api().verify(calls[2])
    assert.equal(count(), 2)
  }
})

test('[attack 70] the server verifies a new assertion once, whatever is above it, beside client and proof (section 6)', async t => {
  const count = countVerifications(t)
  const [first, ...rest] = agents.slice(0, 6)
  assert.ok(first)
  const mints = async (attempt: ReturnType<typeof mintAttempt>) => {
    count()
    const { status, text } = await send(world, attempt)
    assert.equal(status, 200, text)
    return count()
  }
  assert.equal(await mints(mintAttempt(world, first, undefined)), 2)
  let parent = await mint(world, first)
  for (const agent of rest) {
    const assertion = await delegate(world, parent, agent)
    assert.equal(await mints(mintAttempt(world, agent, assertion)), 3)
    // What was verified once is known by its digest.
    assert.equal(await mints(mintAttempt(world, agent, assertion)), 2)
    parent = await mint(world, agent, assertion)
  }
})

test('[attack 70] a refusal costs at most five: client and assertion twice where records were kept, the proof once (section 6)', async t => {
  const [a, b] = agents
  assert.ok(a && b)
  const root = await mint(world, a)
  const count = countVerifications(t)
  for (const changes of [{ scope: 'read write' }, { prev: 'A'.repeat(43) }, { exp: 1 }, { sub: 'agent:crew:c' }]) {
    const assertion = await delegate(world, root, b, changes)
    count()
    assert.equal((await send(world, mintAttempt(world, b, assertion))).status, 403)
    // What a node refuses by records that it kept, it judges once more by the database.
    const verified = count()
    assert.ok(verified <= 5, `${verified}: ${JSON.stringify(changes)}`)
  }
})
