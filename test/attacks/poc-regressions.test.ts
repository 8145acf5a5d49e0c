import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMIN_SCOPES, ISSUER_SCOPES } from '../../src/protocol/own-resources.ts'
import { sequenceHash } from '../../src/protocol/sequence-hash.ts'
import { remoteJwks } from '../../src/verifier/remote-jwks.ts'
import { createVerifier } from '../../src/verifier/verify.ts'
import { adminCalls } from '../registry/admin-call.ts'
import { generateKey, signJws } from '../support/dpop.ts'
import { accessToken, givenAdmin, givenClient as givenBearer } from '../support/given.ts'
import { type Answer, agentGrant, send } from './attempt.ts'
import { givenAgent, givenClient, givenResource, givenWorkflow, givenWorld, READ_API, WRITE_API } from './given.ts'
import { callAs, ENDPOINTS, type Endpoint, givenCrew, minted, stepAttempt, stepRefused, stepRows } from './recorded.ts'
import { refused } from './refused.ts'

/* What the draft's own proof of concept got wrong (attacks.md, end of the catalogue), each once. */

const world = await givenWorld()
const { ctx, app } = world
const good = () => agentGrant(world, '/oauth/token', world.solo)
const { client, planner, worker } = await givenCrew(world)
await givenWorkflow(ctx, client, 'flow', [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'gate', approval_gate: true },
  { step_id: 'sign', agent_id: 'worker', requires_approval: true },
])

function payloadOf(answer: Answer): { readonly exp: number; readonly iat: number; readonly jti: string } {
  assert.equal(answer.status, 200, answer.text)
  const [, payload = ''] = String(answer.body.access_token).split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}

/** How long a token lives: what it says itself, and what the answer says of it. */
async function lifetimesOf(attempt: ReturnType<typeof good>): Promise<readonly [number, unknown]> {
  const answer = await send(world, attempt)
  const { exp, iat } = payloadOf(answer)
  assert.equal(iat, app.clock.seconds())
  return [exp - iat, answer.body.expires_in]
}

test('PoC: exp and expires_in are one, whatever shortens a lifetime (RFC 6749 section 5.1)', async () => {
  const lifetimes = [30, 60, 299, 300, 301, 900]
  const apiOf = (seconds: number) => `https://lives-${seconds}.example.com`
  const access = lifetimes.map(seconds => ({ resource: apiOf(seconds), scope: 'read' }))
  for (const seconds of lifetimes) {
    const lifetime = { max_token_lifetime: seconds }
    await givenResource(ctx, { resource: apiOf(seconds), scopes: [{ name: 'read' }], ...lifetime })
  }
  const own = { resource: app.issuer, scope: 'generate:intent-token' }
  const lives = await givenClient(ctx, undefined, { access: [...access, own] })
  const agent = await givenAgent(ctx, lives, 'lives', { grant: { access } })
  await givenWorkflow(ctx, lives, 'flow', [{ step_id: 'plan', agent_id: 'lives' }])
  for (const seconds of lifetimes) {
    for (const path of ENDPOINTS) {
      const attempt = stepAttempt(world, path, agent, { step: 'plan', resource: apiOf(seconds) })
      assert.deepEqual(await lifetimesOf(attempt), [seconds, seconds])
    }
  }
})

test('PoC: exp and expires_in are one where the execution ends first (section 6)', async () => {
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  app.clock.advance(3_600 - 7)
  for (const path of ENDPOINTS) {
    const attempt = stepAttempt(world, path, planner, { step: 'plan', execution_id })
    assert.deepEqual(await lifetimesOf(attempt), [7, 7])
  }
})

test('PoC: a jti is 128 random bits (RFC 7519 section 4.1.7)', async () => {
  const answers = await Promise.all(Array.from({ length: 64 }, () => send(world, good())))
  const ids = answers.map(answer => payloadOf(answer).jti)
  assert.equal(new Set(ids).size, ids.length)
  const bytes = ids.map(id => Buffer.from(id, 'base64url'))
  assert.deepEqual([...new Set(bytes.map(id => id.length))], [16])
  // No bit is the same in all of them: none is fixed, or a counter's.
  const fixed = Array.from({ length: 128 }, (_, bit) => bytes.map(id => ((id[bit >> 3] ?? 0) >> (bit & 7)) & 1))
  assert.deepEqual(fixed.filter(bits => new Set(bits).size === 1).length, 0)
})

test('PoC: a step that is sent as an object is its step_id, at both endpoints (draft section 4.2)', async () => {
  const asserting = await givenCrew(world, { workflow_state: 'asserted' })
  await givenWorkflow(ctx, asserting.client, 'flow', [{ step_id: 'plan', agent_id: 'planner' }])
  for (const agent of [planner, asserting.planner]) {
    for (const path of ENDPOINTS) {
      const named = { step: 'plan', more: { workflow_step: { step_id: 'plan' } } }
      const { claims } = await minted(world, agent, named, path)
      assert.equal(claims.intent?.workflow_step, 'plan')
      assert.equal(claims.intent?.step_sequence_hash, sequenceHash(['plan']))
    }
  }
  const shape = { status: 400, error: 'invalid_request', reason: 'malformed_parameter', audited: false }
  for (const workflow_step of [{}, { id: 'plan' }, ['plan'], { step_id: ['plan'] }, { step_id: { step_id: 'plan' } }]) {
    const attempt = stepAttempt(world, '/intent/token', planner, { step: 'plan', more: { workflow_step } })
    await refused(world, attempt, shape, good())
  }
})

test('PoC: a proof is fresh, of this method, and taken once, also for a recorded step (RFC 9449 section 4.3)', async () => {
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const attempt = (path: Endpoint) => stepAttempt(world, path, planner, { step: 'plan', execution_id })
  const bad = { status: 400, error: 'invalid_dpop_proof', audited: false }
  const now = app.clock.seconds()
  const spoilt: readonly (readonly [string, object])[] = [
    ['dpop_iat', { iat: now - 61 }],
    ['dpop_iat', { iat: now + 11 }],
    ['dpop_htm', { htm: 'GET' }],
    ['dpop_htm', { htm: 'post' }],
  ]
  for (const path of ENDPOINTS) {
    for (const [reason, change] of spoilt) {
      const stale = attempt(path)
      Object.assign(stale.proof?.payload ?? {}, change)
      await refused(world, stale, { ...bad, reason }, good())
    }
    const once = attempt(path)
    assert.equal((await send(world, once)).status, 200)
    const again = { ...attempt(path), proof: once.proof }
    await refused(world, again, { ...bad, reason: 'dpop_replayed', audited: true }, good())
  }
  // What was refused has entered nothing and counts for nothing.
  assert.deepEqual(await stepRows(world, execution_id), [{ step_id: 'plan', state: 'entered', entries: 1, tokens: 3 }])
})

test('PoC: a refused approval answers 403 at every turn, and never 500 (section 6)', async () => {
  const { execution_id } = await minted(world, planner, { step: 'plan' })
  const sign = { step: 'sign', execution_id, arguments: { pr: 7 } }
  const waits = { reason: 'approval_pending', ajwt_error: 'approval_pending', approval: true }
  await stepRefused(world, worker, sign, waits)
  const { body } = await send(world, stepAttempt(world, '/intent/token', worker, sign))
  const path = `/approvals/${String(body.approval_id)}`

  const asOwner = adminCalls(app, await givenAdmin(app, { owner: 'user:local:anna' }), 'approve:steps')
  const asEve = adminCalls(app, await givenAdmin(app, { owner: 'user:local:eve' }), 'approve:steps')
  const asClerk = adminCalls(app, await givenAdmin(app, { owner: 'user:local:eve' }), 'audit:read')
  const shown = await asEve('GET', path)
  const decision = { decision: 'grant', arguments_digest: shown.body.arguments_digest, reason: 'as agreed' }
  for (const by of [asOwner, asClerk]) assert.equal((await by('POST', path, { body: decision })).status, 403)
  await stepRefused(world, worker, sign, waits)

  assert.equal((await asEve('POST', path, { body: { ...decision, decision: 'deny' } })).status, 200)
  await stepRefused(world, worker, sign, { reason: 'approval_denied', ajwt_error: 'approval_denied' })
  const digestAlone = { type: 'urn:remit:workflow-step', workflow_id: 'flow', workflow_step: 'sign', execution_id }
  const { arguments_digest } = decision
  const more = { authorization_details: [{ ...digestAlone, arguments_digest }] }
  const missing = { reason: 'arguments_missing', ajwt_error: 'approval_required' }
  await stepRefused(world, worker, { step: 'sign', execution_id, more }, missing)
})

test('PoC: unknown keys under load are asked for once, and not twice each under a lock (protocol.md section 8)', async () => {
  const { jwk, ...signer } = await generateKey()
  let fetches = 0
  let seconds = app.clock.seconds()
  const jwks = remoteJwks(`${app.issuer}/.well-known/jwks.json`, {
    now: () => new Date(seconds * 1000),
    fetch: async (url, init) => {
      fetches += 1
      return await fetch(url, init)
    },
  })
  const verifier = createVerifier({ issuer: app.issuer, audience: READ_API, jwks, now: () => new Date(seconds * 1000) })
  const flood = async (n: number) => {
    const url = `${READ_API}/x`
    const results = Array.from({ length: n }, async (_, at) => {
      const header = { typ: 'at+jwt', alg: 'ES256', kid: `unknown-${at}` }
      const token = await signJws(signer, header, { iss: app.issuer, aud: READ_API, jti: `${at}` })
      return await verifier
        .verify({ authorization: `Bearer ${token}`, method: 'GET', url })
        .catch(error => error.reason)
    })
    return new Set(await Promise.all(results))
  }
  assert.deepEqual([...(await flood(50))], ['token_kid'])
  assert.equal(fetches, 1)
  seconds += 29
  await flood(50)
  assert.equal(fetches, 1)
  seconds += 1
  await flood(50)
  assert.equal(fetches, 2)
  assert.equal(jwk.kty, 'EC')
})

test('PoC: whether an intent is allowed is really asked: of the agent, the client, the API and the step (section 6, row 10)', async () => {
  const narrow = [{ resource: READ_API, scope: 'read' }]
  const own = { resource: app.issuer, scope: 'generate:intent-token' }
  const wide = await givenClient(ctx, undefined, { access: [{ resource: READ_API, scope: 'read deploy' }, own] })
  const ofAgent = await givenAgent(ctx, wide, 'narrow', { grant: { access: narrow } })
  const small = await givenClient(ctx, undefined, { access: [...narrow, own] })
  const ofClient = await givenAgent(ctx, small, 'wide', { grant: { access: narrow } })
  const ofStep = await givenAgent(ctx, wide, 'stepper', {
    grant: { access: [{ resource: READ_API, scope: 'read deploy' }] },
  })
  for (const agent of [ofAgent, ofClient, ofStep]) {
    const { agent_id } = agent
    await givenWorkflow(ctx, agent.client, `of-${agent_id}`, [{ step_id: 'plan', agent_id, access: narrow }])
    const asked = { workflow_id: `of-${agent_id}`, step: 'plan' }
    const { claims } = await minted(world, agent, asked)
    assert.equal(claims.scope, 'read')
    const tooMuch = { status: 400, error: 'invalid_scope', reason: 'invalid_scope', audited: true }
    for (const path of ENDPOINTS) {
      await refused(world, stepAttempt(world, path, agent, { ...asked, scope: 'read deploy' }), tooMuch, good())
      const elsewhere = { ...tooMuch, error: 'invalid_target', reason: 'invalid_target' }
      await refused(world, stepAttempt(world, path, agent, { ...asked, resource: WRITE_API }), elsewhere, good())
    }
  }
  // And at an API: a token with another scope of the same API opens nothing.
  const answer = await callAs(world, client, 'register:intent', {
    path: '/intent/register/workflow',
    body: { workflow_id: 'x', steps: [{ step_id: 'a', agent_id: 'planner' }] },
  })
  assert.deepEqual([answer.status, answer.body.error], [403, 'insufficient_scope'])
})

test('PoC: no refusal names a scope or an audience that would have been needed (section 10)', async () => {
  const resources = await ctx.db.selectFrom('resource').select('resource').execute()
  const names = [
    ...[...ADMIN_SCOPES, ...ISSUER_SCOPES, 'deploy', 'pay'],
    ...[...resources.map(({ resource }) => resource), `${app.issuer}/admin`],
  ]
  const said: (readonly [string, number, string])[] = []
  const keep = (what: string, { status, body, headers }: Pick<Answer, 'status' | 'body' | 'headers'>) => {
    const { error_description, ...rest } = body
    const told = [error_description, body.detail, body.title, headers['www-authenticate'], rest.scope, rest.audience]
    said.push([what, status, told.join(' ')])
  }
  const outside = { step: 'plan', scope: 'write', resource: WRITE_API }
  for (const path of ENDPOINTS) {
    keep('scope', await send(world, stepAttempt(world, path, planner, { step: 'plan', scope: 'write' })))
    keep('target', await send(world, stepAttempt(world, path, planner, outside)))
    keep('marked', await send(world, stepAttempt(world, path, world.solo, { scope: 'pay' })))
  }
  const reads = { path: '/intent/register/workflow', body: { workflow_id: 'x', steps: [] } }
  keep('own API', await callAs(world, client, 'generate:intent-token', reads))
  const caller = await givenBearer(app)
  const token = await accessToken(app, caller, { resource: app.issuer, scope: 'read:agents', bearer: true })
  for (const url of [`${app.adminUrl}/admin/v1/clients`, `${app.issuer}/intent/executions/exe_${'A'.repeat(22)}`]) {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    const body = JSON.parse(await response.text())
    keep(url, { status: response.status, body, headers: Object.fromEntries(response.headers) })
  }
  for (const [what, status, text] of said) {
    assert.ok(status >= 400 && status < 500, what)
    // Members of the challenge, not its text: RFC 9728 section 5.1, RFC 6750 section 3.1.
    const rest = text.replace(/(resource_metadata|scope)="[^"]*"/g, '')
    const named = names.filter(name => new RegExp(`(^|[^a-z:-])${RegExp.escape(name)}($|[^a-z:-])`).test(rest))
    assert.deepEqual(named, [], `${what}: ${rest}`)
  }
})
