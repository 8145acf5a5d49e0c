import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Attempt,
  agentGrant,
  clientCredentials,
  exchange,
  proofOf,
  send,
  signed,
  tokenRequest,
} from '../attacks/attempt.ts'
import { givenClient, givenWorld, tokenHash, type World } from '../attacks/given.ts'
import { refused } from '../attacks/refused.ts'
import { testKey } from '../protocol/forge.ts'
import { byAgent, mintWith, statementFor } from './statement.ts'

/** The epoch begins 5 s after the start of each test's clock: within the skew, so that a request can be dated past it. */
const EPOCH = 5

/** As if both were signed this many seconds after now. */
function dated(attempt: Attempt, world: World, seconds: number): Attempt {
  const iat = world.app.clock.seconds() + seconds
  if (attempt.assertion) Object.assign(attempt.assertion.payload, { iat, exp: iat + 60 })
  if (attempt.proof) Object.assign(attempt.proof.payload, { iat })
  return attempt
}

const NO_CLIENT = { status: 401, error: 'invalid_client', audited: false } as const
const BAD_PROOF = { status: 400, error: 'invalid_dpop_proof', audited: false } as const

test('an assertion or a proof signed before the epoch of a restore is refused as too old (section 3)', async () => {
  const world = await givenWorld({ notBefore: EPOCH })
  world.app.clock.advance(EPOCH)
  const good = () => clientCredentials(world)
  const reason = 'iat_before_epoch'
  const oldAssertion = good()
  Object.assign(oldAssertion.assertion?.payload ?? {}, { iat: world.app.clock.seconds() - 1 })
  await refused(world, oldAssertion, { ...NO_CLIENT, reason }, good())
  const oldProof = good()
  Object.assign(oldProof.proof?.payload ?? {}, { iat: world.app.clock.seconds() - 1 })
  await refused(world, oldProof, { ...BAD_PROOF, reason }, good())
})

test('an assertion without iat may be as old as its longest lifetime: refused so long (section 3)', async () => {
  const world = await givenWorld({ notBefore: EPOCH })
  const good = () => clientCredentials(world)
  const dateless = () => {
    const attempt = good()
    Object.assign(attempt.assertion?.payload ?? {}, { iat: undefined })
    return attempt
  }
  world.app.clock.advance(EPOCH)
  await refused(world, dateless(), { ...NO_CLIENT, reason: 'iat_before_epoch' }, good())
  world.app.clock.advance(299)
  await refused(world, dateless(), { ...NO_CLIENT, reason: 'iat_before_epoch' }, good())
  world.app.clock.advance(1)
  assert.equal((await send(world, dateless())).status, 200)
})

test('a key statement signed before the epoch of a restore admits no key (section 4)', async () => {
  const world = await givenWorld({ notBefore: EPOCH })
  const { solo } = world
  const holder = testKey('ES256')
  const old = await statementFor(world, solo, holder, byAgent(solo))
  world.app.clock.advance(EPOCH)
  const expected = { status: 400, error: 'invalid_dpop_proof', ajwt_error: 'agent_key_mismatch', audited: true }
  const good = agentGrant(world, '/oauth/token', solo)
  await refused(world, mintWith(world, solo, holder, old), { ...expected, reason: 'iat_before_epoch' }, good)
  const fresh = await statementFor(world, solo, holder, byAgent(solo))
  assert.equal((await send(world, mintWith(world, solo, holder, fresh))).status, 200)
})

test('a token from before the epoch opens none of our own APIs, mints nothing, and is inactive (section 7)', async () => {
  const world = await givenWorld({ notBefore: EPOCH })
  const { app, ctx, solo } = world
  const access = [{ resource: app.issuer, scope: 'generate:intent-token read:agents' }]
  const client = await givenClient(ctx, 'reader', { access })
  const ask = (scope: string, bearer: boolean) => {
    const attempt = clientCredentials(world, client)
    attempt.params = { ...attempt.params, scope, resource: app.issuer }
    return dated(bearer ? { ...attempt, proof: undefined } : attempt, world, EPOCH - (app.clock.seconds() - start))
  }
  const start = app.clock.seconds()
  const old = String((await send(world, ask('read:agents', false))).body.access_token)
  const oldBearer = String((await send(world, ask('generate:intent-token', true))).body.access_token)
  app.clock.advance(EPOCH)
  const fresh = String((await send(world, ask('read:agents', false))).body.access_token)
  const freshBearer = String((await send(world, ask('generate:intent-token', true))).body.access_token)

  assert.deepEqual([await read(old, 0), await read(fresh, 0)], [401, 200])
  assert.equal(await read(fresh, -1), 401, 'a proof from before the epoch')
  assert.deepEqual([await mintBy(oldBearer), await mintBy(freshBearer)], ['invalid_token', 'unknown_agent'])
  assert.deepEqual([await active(old), await active(fresh)], [false, true])

  async function read(token: string, seconds: number): Promise<number> {
    const path = `/intent/agents/${client.client_id}`
    const proof = proofOf(world, client.dpopKey, path)
    Object.assign(proof.payload, { htm: 'GET', ath: tokenHash(token), iat: app.clock.seconds() + seconds })
    const { host, port } = new URL(app.issuer)
    const headers = ['Host', host, 'Authorization', `DPoP ${token}`, 'DPoP', signed(proof)]
    return (await exchange(Number(port), path, headers, '', 'GET')).status
  }
  async function mintBy(token: string): Promise<unknown> {
    const attempt = agentGrant(world, '/intent/token', solo)
    const headers = { Authorization: `Bearer ${token}` }
    return (await send(world, { ...attempt, assertion: undefined, headers })).body.error
  }
  async function active(token: string): Promise<unknown> {
    return (await send(world, tokenRequest(world, '/oauth/introspect', client, token))).body.active
  }
})
