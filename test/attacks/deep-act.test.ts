import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { base64url, forge } from '../protocol/forge.ts'
import { CLAIMS, HEADER, request, signer, verifier } from '../verifier/given-call.ts'
import { type Answer, type Attempt, agentGrant, requestOf, send } from './attempt.ts'
import { givenWorld } from './given.ts'

/* A chain of actors that is deeper than any (attacks.md 54): refused at the server and at an API, and cheaply. */

const DEEP = 10_000
/** The deepest that a token of 16 KB holds. */
const DEEPEST_OF_A_TOKEN = 1_300
/** Batches, of which the cheapest counts: what else this process does comes on top of some only. */
const BATCHES = 7
const TIMES = 20
/**
 * What a refusal may cost in processor time of this process, measured in good requests of the same kind: by the rule less
 * than two. A reader that goes through each level anew needs hundreds.
 */
const FACTOR = 8

const world = await givenWorld()

function deepAct(levels: number): string {
  return `${'{"act":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`
}

/** Claims with an `act` of so many levels in them, as text: no builder of JSON is asked to nest. */
function withAct(claims: object, levels: number): string {
  return `${JSON.stringify(claims).slice(0, -1)},"act":${deepAct(levels)}}`
}

/** Microseconds of processor time for TIMES calls, one after the other. */
async function cheapest(call: () => Promise<unknown>): Promise<number> {
  const batches: number[] = []
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const before = process.cpuUsage()
    for (let n = 0; n < TIMES; n += 1) await call()
    const { user, system } = process.cpuUsage(before)
    batches.push(user + system)
  }
  return Math.min(...batches)
}

test('[attack 54] an API refuses a token with an act of 10,000 levels, and one of 9, and works no longer than for a good one (section 8)', async t => {
  const good = await request()
  const signedDeep = async (levels: number) => {
    const header = base64url(JSON.stringify({ alg: 'ES256', ...HEADER }))
    const payload = base64url(withAct({ ...CLAIMS, jti: `deep-${levels}` }, levels))
    const input = Buffer.from(`${header}.${payload}`)
    const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, signer.privateKey, input)
    return { ...good, authorization: `DPoP ${input}.${Buffer.from(signature).toString('base64url')}` }
  }
  const reasonOf = async (levels: number) => {
    const sent = await signedDeep(levels)
    return await verifier()
      .verify(sent)
      .then(
        () => 'accepted',
        error => (error instanceof OAuthError && error.code === 'invalid_token' ? error.reason : String(error)),
      )
  }
  const levels = [9, 31, 32, DEEPEST_OF_A_TOKEN, DEEP]
  const reasons = await Promise.all(levels.map(reasonOf))
  assert.deepEqual(reasons, ['token_act_depth', 'token_act_depth', ...Array(3).fill('malformed_jws')])
  const one = (await signedDeep(DEEPEST_OF_A_TOKEN)).authorization.length
  assert.ok(one > 12_000 && one < 16_384, `${one} characters`)

  const tokens = await Promise.all([signedDeep(DEEPEST_OF_A_TOKEN), signedDeep(DEEP)])
  const small = await cheapest(() => verifier({ replayCache: 'caller' }).verify(good))
  for (const sent of tokens) {
    const api = verifier({ replayCache: 'caller' })
    const deep = await cheapest(() => assert.rejects(api.verify(sent)))
    t.diagnostic(`${TIMES} good tokens ${small} us, ${TIMES} deep ones ${deep} us`)
    assert.ok(deep < FACTOR * small, `${deep} us, and ${small} us for good ones`)
  }
})

/** The good request with one parameter more, which is this text of JSON, or a JWS with such a payload. */
function withParameter(path: '/intent/token' | '/oauth/token', name: string, text: string): Attempt {
  const attempt = agentGrant(world, path, world.solo)
  if (path === '/oauth/token') return { ...attempt, params: { ...attempt.params, [name]: text } }
  const { body } = requestOf(attempt)
  return { ...attempt, body: `${body.toString().slice(0, -1)},${JSON.stringify(name)}:${text}}` }
}

function said({ status, body }: Answer): readonly unknown[] {
  return [status, body.error]
}

test('[attack 54] the server refuses an act of 10,000 levels wherever it reads JSON, and works no longer than for a mint (section 6)', async t => {
  const lists = '['.repeat(DEEP) + ']'.repeat(DEEP)
  const refused: readonly (readonly [string, () => Attempt, number])[] = [
    ['act', () => withParameter('/intent/token', 'act', lists), 400],
    ['act of objects', () => withParameter('/intent/token', 'act', deepAct(5_000)), 400],
    ['act past the body', () => withParameter('/intent/token', 'act', deepAct(DEEP)), 413],
    ['chain', () => withParameter('/oauth/token', 'delegation_context', lists), 400],
    ['details', () => withParameter('/oauth/token', 'authorization_details', lists), 400],
    ['form past the body', () => withParameter('/oauth/token', 'act', deepAct(DEEP)), 413],
    ['assertion', () => withParameter('/oauth/token', 'delegation_assertion', deepJws(700)), 400],
    ['assertion too long', () => withParameter('/oauth/token', 'delegation_assertion', deepJws(4_000)), 400],
  ]
  const small = await cheapest(async () => {
    const { status } = await send(world, agentGrant(world, '/oauth/token', world.solo))
    assert.equal(status, 200)
  })
  for (const [name, make, status] of refused) {
    const expected = name === 'assertion' ? [400, 'invalid_grant'] : [status, 'invalid_request']
    assert.deepEqual(said(await send(world, make())), expected, name)
    const deep = await cheapest(() => send(world, make()))
    t.diagnostic(`${TIMES} mints ${small} us, ${TIMES} of ${name} ${deep} us`)
    assert.ok(deep < FACTOR * small, `${name}: ${deep} us, and ${small} us for mints`)
  }
})

test('[attack 54] what the server does not read it does not mint: a parameter act enters no token (section 6)', async () => {
  for (const levels of [9, 1_000]) {
    const { status, body } = await send(world, withParameter('/oauth/token', 'act', deepAct(levels)))
    assert.equal(status, 200)
    const [, payload = ''] = String(body.access_token).split('.')
    assert.equal('act' in JSON.parse(Buffer.from(payload, 'base64url').toString()), false)
  }
})

function deepJws(levels: number): string {
  const { alg, jwk } = world.solo.key
  return forge({ alg, typ: 'delegation+jwt', jwk }, withAct({ iss: 'x' }, levels), world.solo.key)
}
