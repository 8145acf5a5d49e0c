import assert from 'node:assert/strict'
import { test } from 'node:test'
import { revocationRefs, standingRevocation } from '../../src/server/store/revocations.ts'
import { givenDelegated } from '../support/delegated.ts'
import { givenAdministrator } from './admin-call.ts'
import { type Answer, agentGrant, clientCredentials, exchange, proofOf, send, signed, tokenRequest } from './attempt.ts'
import { type Watched, waitsFor, watch, withTableHeld } from './gate-watch.ts'
import { type GivenAgent, givenAgent, givenClient, givenWorld, thumbprint, tokenHash } from './given.ts'

const world = await givenWorld()
const { ctx, client } = world
const eve = await givenAdministrator(world, 'user:local:eve')
const otto = await givenAdministrator(world, 'user:local:otto')
const root = await givenAdministrator(world, 'user:local:eve', 'admin:clients')
const anna = await givenAdministrator(world, 'user:local:anna')

function pathOf({ client, agent_id }: GivenAgent): string {
  return `/agents/${client.client_id}/${agent_id}`
}

function suspend(agent: GivenAgent, by = eve): Promise<Answer> {
  return by.call('POST', `${pathOf(agent)}/suspend`, { reason: 'It leaks.' })
}

function resume(agent: GivenAgent, by = otto): Promise<Answer> {
  return by.call('POST', `${pathOf(agent)}/resume`, {})
}

function mint(agent: GivenAgent): Promise<Answer> {
  return send(world, agentGrant(world, '/oauth/token', agent))
}

async function isActive({ body }: Answer): Promise<unknown> {
  const asked = tokenRequest(world, '/oauth/introspect', client, String(body.access_token))
  return (await send(world, asked)).body.active
}

async function lastAct(agent_id: string, action = 'agent.resume') {
  return await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'reason', 'actor', 'details'])
    .where('agent_id', '=', agent_id)
    .where('action', '=', action)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
}

/** A live token of another agent, delegated from one of this agent's, as a mint leaves it. */
async function givenChild(parent: Answer, jti: string) {
  const { jti: parent_jti } = JSON.parse(
    Buffer.from(String(parent.body.access_token).split('.')[1] ?? '', 'base64url').toString('utf8'),
  )
  await givenDelegated(ctx, String(parent_jti), { jti, agent_id: 'solo' })
  const { delegation_id, ...row } = await ctx.db
    .selectFrom('token')
    .innerJoin('delegation', 'delegation.delegation_id', 'token.delegation_id')
    .select(['token.jti', 'token.client_id', 'token.kid', 'token.jkt', 'token.agent_id', 'token.registration_id'])
    .select(['token.initiated_by', 'token.sub', 'token.execution_id', 'delegation.delegation_id'])
    .where('token.jti', '=', jti)
    .executeTakeFirstOrThrow()
  return { row, delegation_id }
}

async function endOf(delegation_id: string): Promise<Date | null> {
  const row = await ctx.db
    .selectFrom('delegation')
    .select('revoked_at')
    .where('delegation_id', '=', delegation_id)
    .executeTakeFirstOrThrow()
  return row.revoked_at
}

test('[attack 116] a suspended agent mints nothing and its tokens are not active; resumed, its own live ones are again, and nothing else (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'paused')
  const [kept, revoked] = [await mint(agent), await mint(agent)]
  const { row: delegated, delegation_id } = await givenChild(kept, 'delegated-of-paused')
  await send(world, tokenRequest(world, '/oauth/revoke', client, String(revoked.body.access_token)))
  const suspended = await suspend(agent)
  const suspended_at = ctx.now().toISOString()
  const name = { client_id: client.client_id, agent_id: 'paused' }
  const counted = { agent: 1, token: 1 }
  assert.deepEqual(
    [suspended.status, suspended.body],
    [200, { ...name, agent_status: 'suspended', revoked: counted, suspended_at }],
  )
  const { details, ...row } = await lastAct('paused', 'agent.suspend')
  assert.deepEqual(row, { action: 'agent.suspend', outcome: 'success', reason: null, actor: eve.client.client_id })
  assert.deepEqual(details, {
    reason: 'It leaks.',
    revoked: counted,
    caller: eve.client.client_id,
    acting_owner: 'user:local:eve',
  })
  assert.equal((await mint(agent)).body.ajwt_error, 'unknown_agent')
  assert.deepEqual([await isActive(kept), await isActive(revoked)], [false, false])
  const again = await suspend(agent, otto)
  assert.deepEqual([again.status, again.body.code], [409, 'conflict'])

  const resumed = await resume(agent)
  const answer = { ...name, agent_status: 'active', resumed_at: suspended_at }
  assert.deepEqual([resumed.status, resumed.body], [200, answer])
  assert.equal((await lastAct('paused')).actor, otto.client.client_id)
  assert.equal((await mint(agent)).status, 200)
  assert.deepEqual([await isActive(kept), await isActive(revoked)], [true, false])
  assert.equal(await standingRevocation(ctx, revocationRefs(delegated), ctx.now()), true)
  // What it had delegated may be presented again: only the tokens that lived then are dead.
  assert.equal(await endOf(delegation_id), null)
  assert.deepEqual([(await resume(agent)).status], [409])
})

test('[attack 116] a suspension holds when its entry has ended, until somebody resumes the agent (section 9)', async () => {
  const own = await givenWorld()
  const by = await givenAdministrator(own, 'user:local:eve')
  const agent = await givenAgent(own.ctx, own.client, 'long')
  await by.call('POST', `${pathOf(agent)}/suspend`, { reason: 'Holidays.' })
  own.app.clock.advance(961)
  const refused = await send(own, agentGrant(own, '/oauth/token', agent))
  assert.equal(refused.body.ajwt_error, 'unknown_agent')
})

test('[attack 116] what was revoked before or during a suspension stays revoked after it (section 9)', async () => {
  const version = await givenAgent(ctx, client, 'zombie-version')
  const revoke = (kind: string, id: string) => eve.call('POST', '/revocations', { kind, id, reason: 'bad' })
  await revoke('registration', version.registration_id)
  await suspend(version)
  assert.equal((await resume(version)).status, 200)
  assert.equal((await mint(version)).body.ajwt_error, 'agent_checksum_mismatch')

  const agent = await givenAgent(ctx, client, 'zombie')
  const token = await mint(agent)
  await suspend(agent)
  assert.equal((await revoke('agent', `${client.client_id}/zombie`)).status, 201)
  const refused = await resume(agent)
  assert.deepEqual([refused.status, refused.body.code], [409, 'conflict'])
  assert.equal((await lastAct('zombie')).reason, 'revoked')
  assert.deepEqual([(await mint(agent)).status, await isActive(token)], [400, false])
  assert.equal((await suspend(agent)).status, 409)
  const entries = ctx.db.selectFrom('revocation').select('lifted_at')
  const rows = await entries.where('id', '=', `${client.client_id}/zombie`).execute()
  assert.deepEqual(rows, [{ lifted_at: null }, { lifted_at: null }])
})

test('[attack 118] neither the owner who suspended nor the client’s resumes, by whichever client of theirs (section 11)', async () => {
  const agent = await givenAgent(ctx, client, 'four-eyes')
  const secondOfEve = await givenAdministrator(world, 'user:local:eve')
  await suspend(agent)
  for (const by of [eve, secondOfEve, anna]) {
    const refused = await resume(agent, by)
    assert.deepEqual([refused.status, refused.body.code], [403, 'forbidden'])
    assert.equal((await lastAct('four-eyes')).reason, 'own_suspension')
  }
  assert.equal((await mint(agent)).status, 400)
  assert.equal((await resume(agent, otto)).status, 200)
})

test('[attack 118] suspending takes scope revoke, resuming approve:agents, and neither is enough for the other (section 11)', async () => {
  const agent = await givenAgent(ctx, client, 'scopes')
  const stops = await givenAdministrator(world, 'user:local:ida', 'revoke')
  const approves = await givenAdministrator(world, 'user:local:ida', 'approve:agents')
  assert.equal((await suspend(agent, approves)).body.code, 'insufficient_scope')
  assert.equal((await suspend(agent, stops)).status, 200)
  assert.equal((await resume(agent, stops)).body.code, 'insufficient_scope')
})

test('while there is one administrator, it resumes what it suspended (section 11)', async () => {
  const own = await givenWorld()
  const only = await givenAdministrator(own, 'user:local:anna')
  const agent = await givenAgent(own.ctx, own.client, 'alone')
  await only.call('POST', `${pathOf(agent)}/suspend`, { reason: 'A try.' })
  assert.equal((await only.call('POST', `${pathOf(agent)}/resume`, {})).status, 200)
  assert.equal((await send(own, agentGrant(own, '/oauth/token', agent))).status, 200)
})

test('[attack 116] of a suspension and a resumption at once one waits; the entry and the state agree (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'race')
  await suspend(agent)
  for (let round = 0; round < 5; round += 1) {
    await Promise.all([resume(agent), suspend(agent)])
    const state = (await ctx.db.selectFrom('agent').select('status').where('agent_id', '=', 'race').execute())[0]
    const ref = { kind: 'agent', id: `${client.client_id}/race` } as const
    assert.equal(await standingRevocation(ctx, [ref], ctx.now()), state?.status === 'suspended')
    if (state?.status === 'active') await suspend(agent)
  }
})

/** What ends minting for an agent, and must wait for a mint under way. */
const STOPS = [
  { name: 'suspend', stop: (agent: GivenAgent) => suspend(agent) },
  {
    name: 'retire',
    stop: (agent: GivenAgent) =>
      eve.call('POST', `${pathOf(agent)}/retire`, { registration_id: agent.registration_id }),
  },
  {
    name: 'remove-key',
    stop: async (agent: GivenAgent) => eve.call('DELETE', `${pathOf(agent)}/keys/${await thumbprint(agent.key)}`),
  },
  {
    name: 'remove-own-key',
    stop: async (agent: GivenAgent) => {
      const path = `/intent/agents/${agent.client.client_id}/${agent.agent_id}/keys/${await thumbprint(agent.key)}`
      return await callIntent(agent.client, path)
    },
  },
  {
    name: 'delete-client',
    stop: (agent: GivenAgent) => root.call('DELETE', `/clients/${agent.client.client_id}?reason=gone`),
  },
  { name: 'approve', stop: approveOther },
] as const

/** What a stop needs before tokens can no longer be written: a token of the client, and a version that waits. */
const prepared = { token: '', checksum: '', registration_id: '' }

async function prepare(agent: GivenAgent): Promise<void> {
  const asked = clientCredentials(world, agent.client)
  asked.params = { ...asked.params, scope: 'register:intent', resource: ctx.config.issuer }
  prepared.token = String((await send(world, asked)).body.access_token)
  const { checksum, registration_id } = await givenAgent(ctx, agent.client, agent.agent_id, {
    prompt: 'With a new key.',
  })
  Object.assign(prepared, { checksum, registration_id })
}

async function callIntent({ dpopKey }: GivenAgent['client'], path: string): Promise<Answer> {
  const proof = proofOf(world, dpopKey, path)
  Object.assign(proof.payload, { htm: 'DELETE', ath: tokenHash(prepared.token) })
  const { host, port } = new URL(ctx.config.issuer)
  const headers = ['Host', host, 'Authorization', `DPoP ${prepared.token}`, 'DPoP', signed(proof)]
  return await exchange(Number(port), path, headers, '', 'DELETE')
}

/** The version that waits has another key, which replaces the agent's. */
function approveOther(agent: GivenAgent): Promise<Answer> {
  const { registration_id, checksum } = prepared
  return eve.call('POST', `${pathOf(agent)}/approve`, { registration_id, checksum })
}

for (const { name, stop } of STOPS) {
  test(`[attack 116] ${name} waits for a mint under way, and once it has answered nothing is minted (section 9)`, async () => {
    const agent = await givenAgent(ctx, await givenClient(ctx), `order-${name}`)
    await prepare(agent)
    let minting: Watched<Answer> | undefined
    let stopping: Watched<Answer> | undefined
    await withTableHeld(world, 'token', async () => {
      minting = watch(mint(agent))
      assert.ok(await waitsFor(world, 'token', minting), 'the mint has passed its checks and is about to write')
      stopping = watch(stop(agent))
      assert.ok(await waitsFor(world, 'gate', stopping), 'it answered while a mint that it covers was under way')
    })
    assert.deepEqual([(await minting?.promise)?.status, (await stopping?.promise)?.status], [200, 200])
    assert.ok([400, 401].includes((await mint(agent)).status))
  })
}

test('[attack 116] a resume waits for a mint under way, like every change of the revocations (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'order-resume')
  await suspend(agent)
  let minting: Watched<Answer> | undefined
  let resuming: Watched<Answer> | undefined
  await withTableHeld(world, 'token', async () => {
    minting = watch(mint(world.solo))
    assert.ok(await waitsFor(world, 'token', minting))
    resuming = watch(resume(agent))
    assert.ok(await waitsFor(world, 'gate', resuming))
  })
  assert.deepEqual([(await minting?.promise)?.status, (await resuming?.promise)?.status], [200, 200])
})

test('[attack 116] a mint waits for a suspension that is writing, and then mints nothing (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'order-mint')
  let minting: Watched<Answer> | undefined
  let suspending: Watched<Answer> | undefined
  await withTableHeld(world, 'revocation', async () => {
    suspending = watch(suspend(agent))
    assert.ok(await waitsFor(world, 'revocation', suspending))
    minting = watch(mint(agent))
    assert.ok(await waitsFor(world, 'gate', minting), 'the mint went past a suspension that was writing')
  })
  assert.equal((await suspending?.promise)?.status, 200)
  assert.equal((await minting?.promise)?.body.error, 'invalid_grant')
})
