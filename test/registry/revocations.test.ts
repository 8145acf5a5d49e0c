import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Caller } from '../../src/server/caller.ts'
import { act } from '../../src/server/registry/act.ts'
import { createRevocation, revocationAnswerSchema, revocationSchema } from '../../src/server/registry/revocations.ts'
import { findAgent } from '../../src/server/store/agents.ts'
import { findClient } from '../../src/server/store/clients.ts'
import { enterGateExclusive } from '../../src/server/store/gate.ts'
import { activateRegistration } from '../../src/server/store/registration-changes.ts'
import { findRegistration } from '../../src/server/store/registrations.ts'
import { insertToken } from '../../src/server/store/tokens.ts'
import { startTestApp } from '../support/app.ts'
import { APPROVER, agentBody, approve, caller, givenClient, givenResources, refused, register } from './given.ts'

const { ctx } = await startTestApp()
await givenResources(ctx)

async function revoke(kind: string, id: string) {
  const body = revocationSchema.parse({ kind, id, reason: 'test' })
  const asked = { endpoint: 'POST /r', body, answer: revocationAnswerSchema, before: enterGateExclusive }
  const event = { action: 'revocation.create', details: {} } as const
  return (await act(ctx, caller(), event, asked, tx => createRevocation(tx, caller(), body))).body
}

async function entries(kind: 'token' | 'registration' | 'agent' | 'client') {
  const rows = await ctx.db
    .selectFrom('revocation')
    .select(['id', 'revoked_at', 'ends_at'])
    .where('kind', '=', kind)
    .execute()
  return rows.map(row => ({ id: row.id, seconds: (row.ends_at.getTime() - row.revoked_at.getTime()) / 1000 }))
}

async function givenToken(client_id: string, agent_id: string, parent_jti: string | null = null): Promise<string> {
  const jti = randomUUID()
  await insertToken(ctx, {
    jti,
    client_id,
    sub: `agent:${client_id}:${agent_id}`,
    resource: 'https://crm.example/api',
    scope: 'read',
    token_profile: 'interop',
    kid: 'k',
    token_type: 'Bearer',
    jkt: null,
    agent_id,
    registration_id: null,
    workflow_id: null,
    workflow_version: null,
    workflow_step: null,
    workflow_state: 'none',
    execution_id: null,
    parent_jti,
    initiated_by: null,
    issued_at: ctx.now(),
    expires_at: new Date(ctx.now().getTime() + 300_000),
  })
  return jti
}

const NONE = { token: 0, registration: 0, agent: 0, client: 0 }

test('revoking a version, an agent, a client is final and leaves an entry of 960 seconds (section 9)', async () => {
  const app = await givenClient(ctx, 'app')
  const { registration_id } = await register(ctx, app, agentBody('app'))
  const revoked_at = ctx.now().toISOString()
  const version = await revoke('registration', registration_id)
  assert.deepEqual(version, {
    kind: 'registration',
    id: registration_id,
    revoked: { ...NONE, registration: 1 },
    revoked_at,
  })
  assert.equal((await findRegistration(ctx, registration_id))?.status, 'revoked')
  assert.deepEqual((await revoke('agent', 'app/planner')).revoked, { ...NONE, agent: 1 })
  assert.equal((await findAgent(ctx, 'app', 'planner'))?.status, 'revoked')
  assert.deepEqual((await revoke('client', 'app')).revoked, { ...NONE, client: 1 })
  assert.equal((await findClient(ctx, 'app'))?.status, 'revoked')
  assert.deepEqual(await entries('registration'), [{ id: registration_id, seconds: 960 }])
  assert.deepEqual(await entries('agent'), [{ id: 'app/planner', seconds: 960 }])
  assert.deepEqual(await entries('client'), [{ id: 'app', seconds: 960 }])
})

test('[attack 115] a token dies with everything delegated from it, at any depth (section 9)', async () => {
  await register(ctx, await givenClient(ctx, 'tree'), agentBody('tree'))
  const root = await givenToken('tree', 'planner')
  const child = await givenToken('tree', 'planner', root)
  const grandchild = await givenToken('tree', 'planner', child)
  await givenToken('tree', 'planner')
  assert.deepEqual((await revoke('token', root)).revoked, { ...NONE, token: 3 })
  const ids = (await entries('token')).map(entry => entry.id)
  assert.deepEqual(new Set(ids), new Set([root, child, grandchild]))
})

test('[attack 115] ten thousand tokens delegated from one die with it, past the parameters of a statement (section 9)', async () => {
  await register(ctx, await givenClient(ctx, 'wide'), agentBody('wide'))
  const root = await givenToken('wide', 'planner')
  const first = await givenToken('wide', 'planner', root)
  await sql`insert into token select ${`${first}-`}::text || n, client_id, sub, resource, scope, token_profile, kid, token_type, jkt,
    agent_id, registration_id, workflow_id, workflow_version, workflow_step, workflow_state, execution_id, parent_jti,
    initiated_by, issued_at, expires_at from token, generate_series(1, 9999) n where jti = ${first}`.execute(ctx.db)
  assert.deepEqual((await revoke('token', root)).revoked, { ...NONE, token: 10_001 })
})

test('what does not exist is not found; what is not built says so (section 9)', async () => {
  for (const [kind, id] of [
    ['token', randomUUID()],
    ['registration', 'reg_x_1'],
    ['agent', 'app/nobody'],
    ['agent', 'app/planner/x'],
    ['agent', 'planner'],
    ['client', 'nobody'],
  ] as const) {
    assert.deepEqual(await refused(revoke(kind, id)), { code: 'not_found', reason: 'not_found' })
  }
  assert.equal((await refused(revoke('execution', 'x'))).code, 'not_built')
  assert.equal((await refused(revoke('key', 'x'))).code, 'not_built')
})

test('a version that was revoked while it waited cannot be approved (section 4)', async () => {
  const app = await givenClient(ctx, 'waiting', { policies: { require_approval: true } })
  const answer = await register(ctx, app, agentBody('waiting'))
  await revoke('registration', answer.registration_id)
  assert.equal((await refused(approve(ctx, APPROVER, 'waiting', answer))).reason, 'not_pending')
})

test('a version that is revoked while its approval runs is not made active, and retires nothing (section 9)', async () => {
  const app = await givenClient(ctx, 'race', { policies: { require_approval: true } })
  const first = await register(ctx, app, agentBody('race'))
  await approve(ctx, APPROVER, 'race', first)
  const next = await register(ctx, app, agentBody('race', { prompt: 'Next.' }))
  // The approver's transaction reads the owner after it has read `pending`: there the revocation comes between.
  let between: Promise<unknown> | undefined
  const by: Caller = {
    ...APPROVER,
    get acting_owner() {
      between ??= revoke('registration', next.registration_id)
      return APPROVER.acting_owner
    },
  }
  const approval = await Promise.allSettled([approve(ctx, by, 'race', next)])
  await between
  assert.equal((await findRegistration(ctx, next.registration_id))?.status, 'revoked')
  const kept = (await findRegistration(ctx, first.registration_id))?.status
  assert.equal(kept, approval[0]?.status === 'fulfilled' ? 'retired' : 'active')
})

test('only a pending version is activated (section 4)', async () => {
  const app = await givenClient(ctx, 'once', { policies: { require_approval: true } })
  const { registration_id } = await register(ctx, app, agentBody('once'))
  await revoke('registration', registration_id)
  assert.equal(await activateRegistration(ctx, registration_id), false)
  assert.equal((await findRegistration(ctx, registration_id))?.status, 'revoked')
})

test('the last client with admin:clients cannot be revoked, the last but one can (section 11)', async () => {
  const holder = (scope: string) => ({ kind: 'operator', access: [{ resource: ctx.config.adminAudience, scope }] })
  const last = { code: 'conflict', reason: 'last_administrator' }
  await givenClient(ctx, 'admin-one', holder('admin:clients revoke'))
  await givenClient(ctx, 'only-approves', holder('approve:agents revoke'))
  assert.deepEqual(await refused(revoke('client', 'admin-one')), last)
  assert.equal((await findClient(ctx, 'admin-one'))?.status, 'active')
  await givenClient(ctx, 'admin-two', holder('admin:clients'))
  assert.deepEqual((await revoke('client', 'admin-one')).revoked, { ...NONE, client: 1 })
  // One that was revoked is no other administrator.
  assert.deepEqual(await refused(revoke('client', 'admin-two')), last)
  assert.deepEqual((await revoke('client', 'only-approves')).revoked, { ...NONE, client: 1 })
})
