import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kysely } from 'kysely'
import { transaction } from '../../src/server/context.ts'
import { openDatabase } from '../../src/server/store/database.ts'
import { enterGateExclusive, enterGateShared } from '../../src/server/store/gate.ts'
import { revokeWithDescendants } from '../../src/server/store/revocation-cascade.ts'
import { type RevocationRef, revocationRefs, standingRevocation } from '../../src/server/store/revocations.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { insertToken } from '../../src/server/store/tokens.ts'
import { givenDelegationFrom } from '../support/delegated.ts'
import { type Answer, agentGrant, clientCredentials, exchange, proofOf, send, signed, tokenRequest } from './attempt.ts'
import { type Watched, waitsFor, watch, withTableHeld } from './gate-watch.ts'
import { DRAFT_API, type GivenAgent, givenAgent, givenClient, givenWorld, tokenHash } from './given.ts'

const world = await givenWorld()
const { ctx, client } = world
const { adminUrl } = world.app

const operator = await givenClient(ctx, 'gate-operator', {
  access: [{ resource: ctx.config.adminAudience, scope: 'revoke' }],
})
const asAdmin = clientCredentials(world, operator)
asAdmin.params = { ...asAdmin.params, scope: 'revoke', resource: ctx.config.adminAudience }
const adminToken = String((await send(world, asAdmin)).body.access_token)

async function revokeAgent({ agent_id }: GivenAgent): Promise<Answer> {
  return await revoke('agent', `${client.client_id}/${agent_id}`)
}

async function revoke(kind: 'agent' | 'client', id: string): Promise<Answer> {
  const path = '/admin/v1/revocations'
  const proof = proofOf(world, operator.dpopKey, path)
  Object.assign(proof.payload, { htu: `${adminUrl}${path}`, ath: tokenHash(adminToken) })
  const { host, port } = new URL(adminUrl)
  const headers = ['Host', host, 'Content-Type', 'application/json', 'Authorization', `DPoP ${adminToken}`]
  const body = JSON.stringify({ kind, id, reason: 'test' })
  return await exchange(Number(port), path, [...headers, 'DPoP', signed(proof)], body)
}

async function revokeToken(token: string): Promise<Answer> {
  return await send(world, tokenRequest(world, '/oauth/revoke', client, token))
}

async function isActive(answer: Answer): Promise<unknown> {
  const token = String(answer.body.access_token)
  return (await send(world, tokenRequest(world, '/oauth/introspect', client, token))).body.active
}

test('[attack 116] a revoke of an agent waits for a mint under way, and its token is dead (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'under-way')
  let minting: Watched<Answer> | undefined
  let revoking: Watched<Answer> | undefined
  await withTableHeld(world, 'token', async () => {
    minting = watch(send(world, agentGrant(world, '/oauth/token', agent)))
    assert.ok(await waitsFor(world, 'token', minting), 'the mint has passed its checks and is about to write')
    revoking = watch(revokeAgent(agent))
    assert.ok(await waitsFor(world, 'gate', revoking), 'the revoke answered while a mint that it covers was under way')
  })
  const minted = await minting?.promise
  const revoked = await revoking?.promise
  assert.ok(minted)
  assert.deepEqual([minted.status, revoked?.status], [200, 201])
  assert.equal(await isActive(minted), false)
})

test('[attack 116] a revoke of a token waits for every mint under way (section 9)', async () => {
  const token = String((await send(world, clientCredentials(world))).body.access_token)
  let minting: Watched<Answer> | undefined
  let revoking: Watched<Answer> | undefined
  await withTableHeld(world, 'token', async () => {
    minting = watch(send(world, clientCredentials(world)))
    assert.ok(await waitsFor(world, 'token', minting))
    revoking = watch(revokeToken(token))
    assert.ok(await waitsFor(world, 'gate', revoking), 'the revoke answered while a mint was under way')
  })
  assert.deepEqual([(await minting?.promise)?.status, (await revoking?.promise)?.status], [200, 200])
})

test('[attack 116] a mint waits for a revoke that is writing, and then mints nothing (section 9)', async () => {
  const agent = await givenAgent(ctx, client, 'being-revoked')
  let minting: Watched<Answer> | undefined
  let revoking: Watched<Answer> | undefined
  await withTableHeld(world, 'revocation', async () => {
    revoking = watch(revokeAgent(agent))
    assert.ok(await waitsFor(world, 'revocation', revoking))
    minting = watch(send(world, agentGrant(world, '/oauth/token', agent)))
    assert.ok(await waitsFor(world, 'gate', minting), 'the mint went past a revoke that was writing')
  })
  assert.equal((await revoking?.promise)?.status, 201)
  const minted = await minting?.promise
  assert.deepEqual([minted?.status, minted?.body.error], [400, 'invalid_grant'])
  const row = await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason'])
    .where('agent_id', '=', 'being-revoked')
    .where('action', '=', 'token.issue')
    .executeTakeFirst()
  assert.deepEqual(row, { outcome: 'refused', reason: 'agent_not_active' })
})

test('[attack 116] of two revokes of the last two administrators at once one waits, and is refused (section 11)', async () => {
  const access = [{ resource: ctx.config.adminAudience, scope: 'admin:clients' }]
  await givenClient(ctx, 'admin-one', { access })
  await givenClient(ctx, 'admin-two', { access })
  let first: Watched<Answer> | undefined
  let second: Watched<Answer> | undefined
  await withTableHeld(world, 'revocation', async () => {
    first = watch(revoke('client', 'admin-one'))
    assert.ok(await waitsFor(world, 'revocation', first))
    second = watch(revoke('client', 'admin-two'))
    assert.ok(
      await waitsFor(world, 'gate', second),
      'the second revoke counted administrators while the first was writing',
    )
  })
  assert.equal((await first?.promise)?.status, 201)
  const answer = await second?.promise
  assert.deepEqual([answer?.status, answer?.body.code], [409, 'conflict'])
})

type Lapse = {
  readonly name: string
  /** Of the refusal when it is judged again. */
  readonly reason: string | undefined
  readonly error: string
  readonly status: number
  /** What changes while the mint stands at the gate. */
  readonly change: (db: Kysely<Database>, agent: GivenAgent) => Promise<unknown>
}

const LAPSES: readonly Lapse[] = [
  {
    name: 'client',
    // Nobody is authenticated then: counted, not written.
    reason: undefined,
    status: 401,
    error: 'invalid_client',
    change: (db, { client }) =>
      db.updateTable('client').set({ status: 'revoked' }).where('client_id', '=', client.client_id).execute(),
  },
  {
    name: 'agent',
    reason: 'agent_not_active',
    status: 401,
    error: 'unknown_agent',
    change: (db, { agent_id }) =>
      db.updateTable('agent').set({ status: 'suspended' }).where('agent_id', '=', agent_id).execute(),
  },
  {
    name: 'version',
    reason: 'agent_checksum_mismatch',
    status: 401,
    error: 'agent_checksum_mismatch',
    change: (db, { registration_id }) =>
      db
        .updateTable('registration')
        .set({ status: 'retired' })
        .where('registration_id', '=', registration_id)
        .execute(),
  },
  {
    name: 'key',
    reason: 'agent_key_mismatch',
    status: 400,
    error: 'invalid_dpop_proof',
    change: (db, { agent_id }) =>
      db.updateTable('agent_key').set({ removed_at: ctx.now() }).where('agent_id', '=', agent_id).execute(),
  },
]

for (const { name, reason, status, error, change } of LAPSES) {
  test(`[attack 28] [attack 116] what a mint rests on is read again behind the gate: ${name} (section 9)`, async () => {
    const agent = await givenAgent(ctx, await givenClient(ctx), `lapse-${name}`)
    const db = openDatabase(world.app.database.connection)
    let minting: Watched<Answer> | undefined
    await db.transaction().execute(async tx => {
      await enterGateExclusive({ ...ctx, db: tx })
      minting = watch(send(world, agentGrant(world, '/intent/token', agent)))
      assert.ok(await waitsFor(world, 'gate', minting))
      await change(tx, agent)
    })
    await db.destroy()
    const answer = await minting?.promise
    assert.deepEqual([answer?.status, answer?.body.error], [status, error])
    const rows = await ctx.db
      .selectFrom('audit_event')
      .select(['outcome', 'reason'])
      .where('agent_id', '=', agent.agent_id)
      .where('action', '=', 'token.issue')
      .execute()
    assert.deepEqual(rows, reason === undefined ? [] : [{ outcome: 'refused', reason }])
  })
}

test('[attack 116] the key that a draft token carries without a proof is read again behind the gate (section 9)', async () => {
  const optional = await givenClient(ctx, undefined, { policies: { agent_proof: 'optional' } })
  const agent = await givenAgent(ctx, optional, 'unproven')
  const attempt = { ...agentGrant(world, '/intent/token', agent), proof: undefined }
  attempt.params.audience = DRAFT_API
  const db = openDatabase(world.app.database.connection)
  let minting: Watched<Answer> | undefined
  await db.transaction().execute(async tx => {
    await enterGateExclusive({ ...ctx, db: tx })
    minting = watch(send(world, attempt))
    assert.ok(await waitsFor(world, 'gate', minting))
    await tx.updateTable('agent_key').set({ removed_at: ctx.now() }).where('agent_id', '=', 'unproven').execute()
  })
  await db.destroy()
  const answer = await minting?.promise
  assert.deepEqual([answer?.status, answer?.body.error], [400, 'invalid_dpop_proof'])
})

/** A token row, under a delegation where one is given, as a mint leaves it. */
function tokenRow(jti: string, under?: { parent_jti: string; delegation_id: string }) {
  const now = ctx.now()
  return {
    ...{
      jti,
      parent_jti: under?.parent_jti ?? null,
      delegation_id: under?.delegation_id ?? null,
      client_id: client.client_id,
      sub: 'patcher',
      resource: 'https://read.example.com',
      scope: 'read',
    },
    ...{
      token_profile: 'interop' as const,
      token_type: 'Bearer' as const,
      kid: 'kid',
      jkt: null,
      agent_id: null,
      registration_id: null,
    },
    ...{ workflow_id: null, workflow_version: null, workflow_step: null, workflow_state: 'none' as const },
    ...{ execution_id: null, initiated_by: null, issued_at: now, expires_at: new Date(now.getTime() + 60_000) },
  }
}

/**
 * A mint and a revoke of its parent by hand, at the worst moment: the mint has read that nothing stands against it and
 * has not yet written. @returns whether the delegated token lives on after the revoke has answered
 */
async function survives(gate: boolean, name: string): Promise<boolean> {
  const parent: RevocationRef = { kind: 'token', id: `${name}-parent` }
  await insertToken(ctx, tokenRow(parent.id))
  const parent_jti = parent.id
  const delegation_id = await givenDelegationFrom(ctx, parent_jti)
  const child = tokenRow(`${name}-child`, { parent_jti, delegation_id })
  const revoke = async () =>
    await transaction(ctx, async tx => {
      if (gate) await enterGateExclusive(tx)
      await revokeWithDescendants(tx, parent, { reason: 'test', revoked_by: 'test', now: tx.now() })
    })
  const revoking = await transaction(ctx, async tx => {
    if (gate) await enterGateShared(tx)
    assert.equal(await standingRevocation(tx, [parent], tx.now()), false)
    const started = watch(revoke())
    if (gate) assert.ok(await waitsFor(world, 'gate', started))
    else await started.promise
    await insertToken(tx, child)
    return started
  })
  await revoking.promise
  return !(await standingRevocation(ctx, revocationRefs(child), ctx.now()))
}

test('[attack 116] without the gate a delegated token outlives the revoke that covers it; with the gate none does', async () => {
  assert.equal(await survives(false, 'open'), true)
  assert.equal(await survives(true, 'gated'), false)
})
