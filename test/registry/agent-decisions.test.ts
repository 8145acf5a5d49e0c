import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getAgent } from '../../src/server/registry/agent-views.ts'
import { revokeAgent } from '../../src/server/store/agents.ts'
import { findRegistration } from '../../src/server/store/registrations.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { validRegistrations } from '../support/valid-registrations.ts'
import { decisions, nameOf, statusesOf } from './agent-given.ts'
import { APPROVER, agentBody, approve, CRM, caller, givenClient, givenResources, refused, register } from './given.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)
const careful = { policies: { require_approval: true } }

test('a rejected version is retired, says by whom and why, and its content may be proposed again (section 4)', async () => {
  const app = await givenClient(ctx, 'rejected', careful)
  const version = await register(ctx, app, agentBody('rejected'))
  const answer = await decisions(ctx, 'rejected').reject(version)
  assert.deepEqual(answer, { ...version, status: 'rejected' })
  const [view] = (await getAgent(ctx, nameOf('rejected'))).registrations
  assert.ok(view)
  const at = ctx.now().toISOString()
  assert.deepEqual(
    [view.status, view.rejected_at, view.rejected_by, view.reject_reason, view.proposed_grant, view.proposed_jkts],
    ['retired', at, 'approver', 'Too broad.', null, []],
  )
  assert.equal((await refused(approve(ctx, APPROVER, 'rejected', version))).reason, 'not_pending')
  const again = await register(ctx, app, agentBody('rejected'))
  assert.deepEqual([again.version, again.status], [2, 'pending'])
  await approve(ctx, APPROVER, 'rejected', again)
  assert.deepEqual(await statusesOf(ctx, 'rejected'), ['2 active', '1 retired'])
})

test('the owner who registered a version may withdraw it: stopping takes one person (section 4)', async () => {
  const app = await givenClient(ctx, 'withdrawn', careful)
  const version = await register(ctx, app, agentBody('withdrawn'))
  await decisions(ctx, 'withdrawn', caller({ acting_owner: app.acting_owner })).reject(version)
  assert.deepEqual(await statusesOf(ctx, 'withdrawn'), ['1 retired'])
})

test('a first version that was rejected never counted: what the next asks for is judged as a first one (section 4)', async () => {
  const app = await givenClient(ctx, 'rejected-first', { policies: { default_grant: 'client' } })
  const key = await generateKey()
  const hidden = agentBody('rejected-first', { prompt: 'Sort\u200b mail.' })
  await decisions(ctx, 'rejected-first').reject(await register(ctx, app, hidden))
  const next = await register(ctx, app, agentBody('rejected-first', { public_key: { ...key.jwk } }))
  assert.equal(next.status, 'active')
  const { grant, keys } = await getAgent(ctx, nameOf('rejected-first'))
  assert.deepEqual(grant.access[0], { resource: CRM, scope: 'read write' })
  assert.deepEqual(
    keys.map(({ jkt }) => jkt),
    [key.jkt],
  )
})

test('rejecting is bound to a pending version, its content and its agent (section 4)', async () => {
  const app = await givenClient(ctx, 'reject-bound', careful)
  await givenClient(ctx, 'reject-other', careful)
  const version = await register(ctx, app, agentBody('reject-bound'))
  const other = { ...version, checksum: '0'.repeat(64) }
  assert.equal((await refused(decisions(ctx, 'reject-bound').reject(other))).reason, 'other_checksum')
  // [attack 118]: the version of one client through the path of another.
  await register(ctx, await givenClient(ctx, 'reject-third', careful), agentBody('reject-third'))
  assert.equal((await refused(decisions(ctx, 'reject-third').reject(version))).code, 'not_found')
  assert.equal((await refused(decisions(ctx, 'reject-other').reject(version))).code, 'not_found')
  await approve(ctx, APPROVER, 'reject-bound', version)
  assert.deepEqual(await refused(decisions(ctx, 'reject-bound').reject(version)), {
    code: 'conflict',
    reason: 'not_pending',
  })
  assert.deepEqual(await statusesOf(ctx, 'reject-bound'), ['1 active'])
})

test('a retired version mints no more; a pending one is rejected instead (section 4)', async () => {
  const app = await givenClient(ctx, 'retired')
  const version = await register(ctx, app, agentBody('retired'))
  assert.deepEqual(await decisions(ctx, 'retired').retire(version), { ...version, status: 'retired' })
  assert.deepEqual(await validRegistrations(ctx, 'retired', 'planner', ctx.now()), [])
  assert.equal((await refused(decisions(ctx, 'retired').retire(version))).reason, 'not_minting')
  const hidden = await register(ctx, app, agentBody('retired', { prompt: 'Sort\u200b mail.' }))
  assert.equal((await refused(decisions(ctx, 'retired').retire(hidden))).reason, 'pending')
  const other = await register(ctx, await givenClient(ctx, 'retired-other'), agentBody('retired-other'))
  assert.equal((await refused(decisions(ctx, 'retired').retire(other))).code, 'not_found')
  assert.equal((await findRegistration(ctx, other.registration_id))?.status, 'active')
})

test('a version that drains can be ended before its time (section 4)', async () => {
  const app = await givenClient(ctx, 'drain-retired')
  const first = await register(ctx, app, agentBody('drain-retired'))
  await register(ctx, app, agentBody('drain-retired', { prompt: 'Next.', drain_seconds: 120 }))
  assert.deepEqual(await statusesOf(ctx, 'drain-retired'), ['2 active', '1 draining'])
  await decisions(ctx, 'drain-retired').retire(first)
  const valid = await validRegistrations(ctx, 'drain-retired', 'planner', ctx.now())
  assert.deepEqual(
    valid.map(version => version.version),
    [2],
  )
})

test('an approved version drains the older one as long as it asked for (section 4)', async () => {
  const app = await givenClient(ctx, 'drain-approved', careful)
  await approve(ctx, APPROVER, 'drain-approved', await register(ctx, app, agentBody('drain-approved')))
  const next = await register(ctx, app, agentBody('drain-approved', { prompt: 'Next.', drain_seconds: 120 }))
  // A pending version drains nothing: the time runs from the approval on.
  assert.deepEqual(await statusesOf(ctx, 'drain-approved'), ['2 pending', '1 active'])
  clock.advance(60)
  await approve(ctx, APPROVER, 'drain-approved', next)
  const [, first] = (await getAgent(ctx, nameOf('drain-approved'))).registrations
  const drains_until = new Date(ctx.now().getTime() + 120_000).toISOString()
  assert.deepEqual([first?.status, first?.drains_until], ['draining', drains_until])
  clock.advance(120)
  assert.deepEqual(await statusesOf(ctx, 'drain-approved'), ['2 active', '1 retired'])
})

test('nothing is decided about a revoked agent any more (section 9)', async () => {
  const app = await givenClient(ctx, 'decided-revoked', careful)
  const version = await register(ctx, app, agentBody('decided-revoked'))
  await revokeAgent(ctx, 'decided-revoked', 'planner')
  const { reject, retire, rollback, suspend, resume, addKey, removeKey } = decisions(ctx, 'decided-revoked')
  const jwk = (await generateKey()).jwk
  for (const decide of [
    () => approve(ctx, APPROVER, 'decided-revoked', version),
    () => reject(version),
    () => retire(version),
    () => rollback(version),
    () => suspend(),
    () => resume(),
    () => addKey(jwk),
    () => removeKey('x'),
  ]) {
    assert.deepEqual(await refused(decide()), { code: 'conflict', reason: 'revoked' })
  }
})

test('[attack 125] of two approvals of one version at once one counts (section 4)', async () => {
  const app = await givenClient(ctx, 'approve-twice', careful)
  const version = await register(ctx, app, agentBody('approve-twice'))
  const results = await Promise.allSettled([1, 2, 3, 4].map(() => approve(ctx, APPROVER, 'approve-twice', version)))
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
  assert.deepEqual(await statusesOf(ctx, 'approve-twice'), ['1 active'])
})

test('[attack 125] an approval and a rejection at once: one of them decides (section 4)', async () => {
  const app = await givenClient(ctx, 'approve-reject', careful)
  const version = await register(ctx, app, agentBody('approve-reject'))
  const results = await Promise.allSettled([
    approve(ctx, APPROVER, 'approve-reject', version),
    decisions(ctx, 'approve-reject').reject(version),
  ])
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
  const [status] = await statusesOf(ctx, 'approve-reject')
  assert.equal(status, results[0]?.status === 'fulfilled' ? '1 active' : '1 retired')
})
