import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCounted, rollbackTarget } from '../../src/protocol/rollback-target.ts'
import { getAgent } from '../../src/server/registry/agent-views.ts'
import { openComponents } from '../../src/server/registry/components.ts'
import { revokeRegistration } from '../../src/server/store/registration-changes.ts'
import { startTestApp } from '../support/app.ts'
import { validRegistrations } from '../support/valid-registrations.ts'
import { decisions, nameOf, statusesOf } from './agent-given.ts'
import { APPROVER, agentBody, approve, caller, givenClient, givenResources, refused, register } from './given.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)
const careful = { policies: { require_approval: true } }
const hiddenPrompt = 'Sort\u200b mail.'

/** A client with two versions, the second of which counts. */
async function givenTwoVersions(client_id: string, over: object = {}, drain_seconds = 0) {
  const app = await givenClient(ctx, client_id, over)
  const first = await register(ctx, app, agentBody(client_id))
  if (first.status === 'pending') await approve(ctx, APPROVER, client_id, first)
  const second = await register(ctx, app, agentBody(client_id, { prompt: 'Next.', drain_seconds }))
  if (second.status === 'pending') await approve(ctx, APPROVER, client_id, second)
  return { app, first, second }
}

test('a rollback makes the older content a new version that counts at once (section 4)', async () => {
  const { first } = await givenTwoVersions('back')
  const answer = await decisions(ctx, 'back').rollback(first)
  const { registration_id } = answer
  assert.deepEqual(answer, { ...first, registration_id, version: 3, status: 'active' })
  assert.notEqual(registration_id, first.registration_id)
  assert.deepEqual(await statusesOf(ctx, 'back'), ['3 active', '2 retired', '1 retired'])
  const expected = { agent_id: 'planner', prompt_template: 'You sort mail.', tools: [], configuration: {} }
  assert.deepEqual(await openComponents(ctx, registration_id), expected)
  const [view] = (await getAgent(ctx, nameOf('back'))).registrations
  assert.deepEqual(
    [view?.registered_by, view?.registered_owner, view?.approved_by, view?.pending_for],
    ['approver', 'user:local:anna', 'approver', []],
  )
})

test('the version that is left drains as long as the rollback says, at most the client’s limit (section 4)', async () => {
  const { first, second } = await givenTwoVersions('back-drain', { policies: { max_drain_seconds: 120 } })
  await assert.rejects(decisions(ctx, 'back-drain').rollback(first, 121), {
    name: 'Problem',
    code: 'invalid_request',
    reason: 'drain_too_long',
    message: "drain_seconds is too long: the client's policy max_drain_seconds allows 120 seconds at most.",
  })
  await decisions(ctx, 'back-drain').rollback(first, 120)
  const valid = async () => {
    const versions = await validRegistrations(ctx, 'back-drain', 'planner', ctx.now())
    return versions.map(version => version.checksum)
  }
  assert.deepEqual(await valid(), [first.checksum, second.checksum])
  clock.advance(120)
  assert.deepEqual(await valid(), [first.checksum])
})

test('going back to a version that still drains retires it in the same act, and refuses none of its content (section 4)', async () => {
  const { first } = await givenTwoVersions('back-draining', {}, 120)
  await decisions(ctx, 'back-draining').rollback(first, 120)
  assert.deepEqual(await statusesOf(ctx, 'back-draining'), ['3 active', '2 draining', '1 retired'])
})

test('only what has counted comes back: not what waits, was rejected, replaced while it waited, or counts (section 4)', async () => {
  const { app, first, second } = await givenTwoVersions('never', careful)
  const conflicts = async (version: typeof first) => {
    const { code, reason } = await refused(decisions(ctx, 'never').rollback(version))
    assert.equal(code, 'conflict')
    return reason
  }
  assert.equal(await conflicts(second), 'counts_now')
  const pending = await register(ctx, app, agentBody('never', { prompt: 'Pending.' }))
  assert.equal(await conflicts(pending), 'pending')
  await decisions(ctx, 'never').reject(pending)
  assert.equal(await conflicts(pending), 'never_counted')
  const replaced = await register(ctx, app, agentBody('never', { prompt: 'Replaced.' }))
  const newest = await register(ctx, app, agentBody('never', { prompt: 'Newest.' }))
  await approve(ctx, APPROVER, 'never', newest)
  assert.equal(await conflicts(replaced), 'never_counted')
  assert.equal((await decisions(ctx, 'never').rollback(first)).status, 'active')
})

test('content that was revoked once does not come back, by whichever version (section 4)', async () => {
  const { app, first } = await givenTwoVersions('back-revoked')
  const third = await register(ctx, app, agentBody('back-revoked'))
  await revokeRegistration(ctx, third.registration_id)
  const revoked = { code: 'conflict', reason: 'revoked_checksum' }
  assert.deepEqual(await refused(decisions(ctx, 'back-revoked').rollback(first)), revoked)
  assert.deepEqual(await refused(decisions(ctx, 'back-revoked').rollback(third)), revoked)
})

test('a rollback is bound to the content and the agent that it names (section 4)', async () => {
  const { first } = await givenTwoVersions('back-bound')
  await givenTwoVersions('back-elsewhere')
  const other = { ...first, checksum: '0'.repeat(64) }
  assert.equal((await refused(decisions(ctx, 'back-bound').rollback(other))).reason, 'other_checksum')
  assert.equal((await refused(decisions(ctx, 'back-elsewhere').rollback(first))).code, 'not_found')
})

test('[attack 125] where content waits for approval, neither the client’s nor the content’s owner rolls back (section 4)', async () => {
  const admin = { access: [{ resource: ctx.config.adminAudience, scope: 'approve:agents' }], kind: 'operator' }
  await givenClient(ctx, 'back-admin-1', { ...admin, owner: 'user:local:anna' })
  await givenClient(ctx, 'back-admin-2', { ...admin, owner: 'user:local:eve' })
  const { first } = await givenTwoVersions('back-own', careful)
  const anna = caller({ acting_owner: 'user:local:anna' })
  const own = { code: 'forbidden', reason: 'own_proposal' }
  assert.deepEqual(await refused(decisions(ctx, 'back-own', anna).rollback(first)), own)
  assert.deepEqual(await statusesOf(ctx, 'back-own'), ['2 active', '1 retired'])

  await givenClient(ctx, 'back-ci-app', careful)
  const ci = await givenClient(ctx, 'back-ci', { owner: 'user:local:carl', registers_for: ['back-ci-app'] })
  const old = await register(ctx, ci, agentBody('back-ci-app'))
  await approve(ctx, APPROVER, 'back-ci-app', old)
  await approve(ctx, APPROVER, 'back-ci-app', await register(ctx, ci, agentBody('back-ci-app', { prompt: 'B' })))
  const carl = caller({ acting_owner: 'user:local:carl' })
  assert.deepEqual(await refused(decisions(ctx, 'back-ci-app', carl).rollback(old)), own)
  // Who brings content back does not become its author: its own author still cannot bring it back alone.
  const back = await decisions(ctx, 'back-ci-app').rollback(old)
  await approve(ctx, APPROVER, 'back-ci-app', await register(ctx, ci, agentBody('back-ci-app', { prompt: 'C' })))
  assert.deepEqual(await refused(decisions(ctx, 'back-ci-app', carl).rollback(back)), own)

  const free = await givenTwoVersions('back-free')
  assert.equal((await decisions(ctx, 'back-free', anna).rollback(free.first)).status, 'active')
  const hidden = await givenClient(ctx, 'back-hidden')
  const seen = await register(ctx, hidden, agentBody('back-hidden', { prompt: hiddenPrompt }))
  await approve(ctx, APPROVER, 'back-hidden', seen)
  await register(ctx, hidden, agentBody('back-hidden'))
  assert.deepEqual(await refused(decisions(ctx, 'back-hidden', anna).rollback(seen)), own)
  assert.equal((await decisions(ctx, 'back-hidden').rollback(seen)).status, 'active')
})

test('a rollback ends what waits, and a registration at the same time is numbered after or before it (section 4)', async () => {
  const { app, first } = await givenTwoVersions('back-race', careful)
  await register(ctx, app, agentBody('back-race', { prompt: 'Waits.' }))
  await decisions(ctx, 'back-race').rollback(first)
  assert.deepEqual(await statusesOf(ctx, 'back-race'), ['4 active', '3 retired', '2 retired', '1 retired'])
  const free = await givenTwoVersions('back-race-free')
  const results = await Promise.allSettled([
    decisions(ctx, 'back-race-free').rollback(free.first),
    decisions(ctx, 'back-race-free').rollback(free.first),
    register(ctx, free.app, agentBody('back-race-free', { prompt: 'Newer.' })),
  ])
  const statuses = await statusesOf(ctx, 'back-race-free')
  assert.equal(statuses.filter(status => status.endsWith('active')).length, 1)
  assert.equal(results.at(-1)?.status, 'fulfilled')
  assert.equal(statuses.length, 2 + results.filter(result => result.status === 'fulfilled').length)
})

test('without a name a rollback means the newest that counted before the active one and has other content', () => {
  const counted = { pending_for: [], approved_at: null, rejected_at: null }
  const version = (n: number, status: string, checksum: string, over: object = {}) => {
    return { version: n, status, checksum, ...counted, ...over }
  }
  const waited = { pending_for: ['require_approval'] }
  assert.equal(hasCounted(version(1, 'retired', 'a')), true)
  assert.equal(hasCounted(version(1, 'retired', 'a', waited)), false)
  assert.equal(hasCounted(version(1, 'retired', 'a', { ...waited, approved_at: 'then' })), true)
  assert.equal(hasCounted(version(1, 'retired', 'a', { rejected_at: 'then' })), false)
  for (const status of ['pending', 'active', 'revoked']) assert.equal(hasCounted(version(1, status, 'a')), false)
  const history = [
    version(6, 'pending', 'f'),
    version(5, 'active', 'c'),
    version(4, 'retired', 'd', waited),
    version(3, 'draining', 'c'),
    version(2, 'draining', 'b'),
    version(1, 'retired', 'a'),
  ]
  assert.equal(rollbackTarget(history)?.version, 2)
  assert.equal(rollbackTarget(history.filter(({ status }) => status !== 'active'))?.version, 3)
  assert.equal(rollbackTarget([version(1, 'active', 'a')]), undefined)
})
