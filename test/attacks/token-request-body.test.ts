import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { type Attempt, agentGrant, clientCredentials, requestOf, send } from './attempt.ts'
import { givenWorld, WRITE_API } from './given.ts'
import { refused } from './refused.ts'

const world = await givenWorld()
const { solo, ctx } = world
const REFUSED = { status: 400, error: 'invalid_dpop_proof', audited: false } as const

const ENDPOINTS: Readonly<Record<string, () => Attempt>> = {
  'client_credentials, form': () => clientCredentials(world),
  'agent grant, form': () => agentGrant(world, '/oauth/token', solo),
  'agent grant, JSON': () => agentGrant(world, '/intent/token', solo),
}

/** The request with its body written down, and a proof that names it; `bd` replaces the right digest. */
function naming(attempt: Attempt, bd?: unknown): Attempt & { body: string } {
  const body = String(requestOf(attempt).body)
  Object.assign(attempt.proof?.payload ?? {}, { bd: bd ?? sha256Base64url(body) })
  return { ...attempt, body }
}

async function replayRows(): Promise<number> {
  return (await ctx.db.selectFrom('replay').select('jti').execute()).length
}

for (const [name, make] of Object.entries(ENDPOINTS)) {
  test(`a proof that names another body is refused before anything is written; its own body mints (sections 6 and 8): ${name}`, async () => {
    const honest = naming(make())
    const changed = {
      'another API': honest.body.replace(/read\.example\.com/, new URL(WRITE_API).host),
      'another scope': honest.body.replace(/scope=read|"read"/, text => text.replace('read', 'write')),
      'the same, in other bytes': `${honest.body}${name.endsWith('JSON') ? ' ' : '&more=1'}`,
    }
    for (const [what, body] of Object.entries(changed)) {
      assert.notEqual(body, honest.body, what)
      const before = await replayRows()
      await refused(world, { ...honest, body }, { ...REFUSED, reason: 'bd_mismatch' }, make())
      // Those of the good request after it: its assertion and its proof.
      assert.equal(await replayRows(), before + 2, what)
    }
    // Neither assertion nor proof was taken: they serve the request that they were made for.
    assert.equal((await send(world, honest)).status, 200)
  })
}

test('a bd that is no SHA-256 in base64url is refused, right or wrong (section 8)', async () => {
  const make = () => agentGrant(world, '/intent/token', solo)
  const right = sha256Base64url(String(requestOf(make()).body))
  for (const bd of [
    '',
    right.slice(1),
    `${right}=`,
    `${right.slice(0, -1)}B`,
    right.replace(/^./, '+'),
    1,
    [right],
    {},
  ]) {
    await refused(world, naming(make(), bd), { ...REFUSED, reason: 'dpop_bd' }, make())
  }
})

test('a proof without bd is taken as before; with one, the bytes count and not what they say (section 8)', async () => {
  for (const make of Object.values(ENDPOINTS)) assert.equal((await send(world, make())).status, 200)
  const spaced = agentGrant(world, '/intent/token', solo)
  const body = JSON.stringify(JSON.parse(String(requestOf(spaced).body)), null, 2)
  Object.assign(spaced.proof?.payload ?? {}, { bd: sha256Base64url(body) })
  assert.equal((await send(world, { ...spaced, body })).status, 200)
})
