import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Caller } from '../../src/server/caller.ts'
import { findAgent } from '../../src/server/store/agents.ts'
import { findClient } from '../../src/server/store/clients.ts'
import { activateRegistration } from '../../src/server/store/registration-changes.ts'
import { findRegistration } from '../../src/server/store/registrations.ts'
import { startTestApp } from '../support/app.ts'
import { givenDelegated, givenSiblings } from '../support/delegated.ts'
import { APPROVER, agentBody, approve, givenClient, givenResources, refused, register } from './given.ts'
import { entries, givenToken, NONE, revoke as revokeIn } from './given-revocation.ts'

const { ctx } = await startTestApp()
await givenResources(ctx)

const revoke = (kind: string, id: string) => revokeIn(ctx, kind, id)

test('revoking a version, an agent, a client is final and leaves an entry of 960 seconds (section 9)', async () => {
  const app = await givenClient(ctx, 'app')
  const { registration_id } = await register(ctx, app, agentBody('app'))
  const revoked_at = ctx.now().toISOString()
  const version = await revoke('registration', registration_id)
  assert.deepEqual(version, {
    kind: 'registration',
    id: registration_id,
    revoked: { ...NONE, registration: 1 },
    delegations: 0,
    live_tokens: 0,
    live_tokens_at_least: false,
    revoked_at,
    ends_at: new Date(ctx.now().getTime() + 960_000).toISOString(),
    final: true,
  })
  assert.equal((await findRegistration(ctx, registration_id))?.status, 'revoked')
  assert.deepEqual((await revoke('agent', 'app/planner')).revoked, { ...NONE, agent: 1 })
  assert.equal((await findAgent(ctx, 'app', 'planner'))?.status, 'revoked')
  assert.deepEqual((await revoke('client', 'app')).revoked, { ...NONE, client: 1 })
  assert.equal((await findClient(ctx, 'app'))?.status, 'revoked')
  assert.deepEqual(await entries(ctx, 'registration'), [{ id: registration_id, seconds: 960 }])
  assert.deepEqual(await entries(ctx, 'agent'), [{ id: 'app/planner', seconds: 960 }])
  assert.deepEqual(await entries(ctx, 'client'), [{ id: 'app', seconds: 960 }])
})

test('[attack 115] a token dies with everything delegated from it, at any depth (section 9)', async () => {
  await register(ctx, await givenClient(ctx, 'tree'), agentBody('tree'))
  const root = await givenToken(ctx, 'tree', { agent_id: 'planner' })
  const child = await givenDelegated(ctx, root)
  const grandchild = await givenDelegated(ctx, child)
  await givenToken(ctx, 'tree', { agent_id: 'planner' })
  const { revoked, delegations } = await revoke('token', root)
  assert.deepEqual([revoked, delegations], [{ ...NONE, token: 3 }, 2])
  const ids = (await entries(ctx, 'token')).map(entry => entry.id)
  assert.deepEqual(new Set(ids), new Set([root, child, grandchild]))
})

test('[attack 115] ten thousand tokens delegated from one die with it, past the parameters of a statement (section 9)', async () => {
  await register(ctx, await givenClient(ctx, 'wide'), agentBody('wide'))
  const root = await givenToken(ctx, 'wide', { agent_id: 'planner' })
  await givenSiblings(ctx, await givenDelegated(ctx, root), 9_999)
  const { revoked, delegations } = await revoke('token', root)
  assert.deepEqual([revoked, delegations], [{ ...NONE, token: 10_001 }, 10_000])
})

test('what does not exist is not found (section 9)', async () => {
  for (const [kind, id] of [
    ['token', randomUUID()],
    ['registration', 'reg_x_1'],
    ['agent', 'app/nobody'],
    ['agent', 'app/planner/x'],
    ['agent', 'planner'],
    ['client', 'nobody'],
    ['execution', 'exe_AAAAAAAAAAAAAAAAAAAAAA'],
    ['workflow', 'app/nothing'],
    ['workflow', 'app/w/x'],
    ['workflow', 'w'],
  ] as const) {
    assert.deepEqual(await refused(revoke(kind, id)), { code: 'not_found', reason: 'not_found' })
  }
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
