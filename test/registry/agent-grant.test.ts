import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transaction } from '../../src/server/context.ts'
import { enterGateShared } from '../../src/server/store/gate.ts'
import { agentGrant, send } from '../attacks/attempt.ts'
import { givenAgent, givenClient, givenWorld, READ_API, WRITE_API } from '../attacks/given.ts'
import { startNode } from '../attacks/node.ts'
import { givenAdmin } from '../support/given.ts'
import { adminCalls, lastAudited, somebodyWaits } from './admin-call.ts'
import { APPROVER, approve } from './given.ts'

const world = await givenWorld()
const { app, ctx, client, solo } = world
const { client_id } = client
const node = await startNode(world)
/** Anna owns the client. */
const anna = adminCalls(app, await givenAdmin(app, { owner: 'user:local:anna' }), 'approve:agents')
const olga = adminCalls(app, await givenAdmin(app, { owner: 'user:local:olga' }), 'approve:agents revoke')

const READ = { resource: READ_API, scope: 'read' }
const WRITE = { resource: WRITE_API, scope: 'write' }
const grantOf = (access: readonly object[], outside_workflow = false) => ({ access, outside_workflow })
const sent = (grant: object) => ({ body: { grant } })

/** One mint of scope read at each of two nodes. */
async function mints(): Promise<readonly number[]> {
  const attempt = () => agentGrant(world, '/oauth/token', solo)
  return [(await send(world, attempt())).status, (await send(world, attempt(), node.port)).status]
}

test('a grant is changed without new content, at once on every node: less by one person, more by another owner (section 4)', async () => {
  const path = `/agents/${client_id}/solo`
  const [all, less, more] = [(await olga('GET', path)).body.grant, grantOf([WRITE]), grantOf([READ, WRITE])]
  assert.deepEqual(await mints(), [200, 200])
  const narrowed = await anna('PATCH', path, sent(less))
  assert.deepEqual([narrowed.status, narrowed.body], [200, { client_id, agent_id: 'solo', grant: less }])
  assert.deepEqual(await mints(), [400, 400])
  const row = { outcome: 'success', reason: null, client_id }
  assert.deepEqual(await lastAudited(app, 'agent.grant'), { ...row, details: { grant: { before: all, after: less } } })

  for (const wider of [more, grantOf([WRITE], true)]) {
    const own = await anna('PATCH', path, sent(wider))
    assert.deepEqual([own.status, own.body.code], [403, 'forbidden'])
    const owner = 'user:local:anna'
    const others = `${owner} user:local:operator`
    const details = { compared: { acting_owner: owner, 'owners who may not': others } }
    const refused = { outcome: 'refused', reason: 'own_wider_grant', client_id, details }
    assert.deepEqual(await lastAudited(app, 'agent.grant'), refused)
  }
  assert.deepEqual(await mints(), [400, 400])
  assert.deepEqual((await olga('PATCH', path, sent(more))).body.grant, more)
  assert.deepEqual(await mints(), [200, 200])
  assert.deepEqual((await olga('GET', path)).body.grant, more)
  // The same grant once more changes nothing, and is nobody's to refuse.
  assert.equal((await anna('PATCH', path, sent(more))).status, 200)
  assert.deepEqual(await lastAudited(app, 'agent.grant'), { ...row, details: {} })
})

test('while a mint is under way the grant waits: nothing is minted by the old one once it has answered (section 9)', async () => {
  let answered = false
  const change = await transaction(ctx, async tx => {
    await enterGateShared(tx)
    const change = olga('PATCH', `/agents/${client_id}/planner`, sent(grantOf([READ]))).finally(() => {
      answered = true
    })
    await somebodyWaits(app)
    assert.equal(answered, false)
    return { change }
  })
  assert.equal((await change.change).status, 200)
})

test('[attack 124] nobody gives more than the client has, or our own two resources (sections 1 and 3)', async () => {
  for (const entry of [
    { resource: READ_API, scope: 'read write' },
    { resource: 'https://unknown.example.com', scope: 'read' },
    { resource: app.issuer, scope: 'register:intent' },
    { resource: `${app.issuer}/admin`, scope: 'approve:agents' },
  ]) {
    const { status, body } = await olga('PATCH', `/agents/${client_id}/planner`, sent(grantOf([entry])))
    assert.deepEqual([entry, status, body.code], [entry, 400, 'invalid_request'])
    assert.equal((await lastAudited(app, 'agent.grant')).reason, 'grant_above_client')
  }
})

test('what a pending version proposes stays proposed, and counts with it (section 4)', async () => {
  const careful = await givenClient(ctx, 'careful', { policies: { require_approval: true } })
  const first = await givenAgent(ctx, careful, 'waits', { grant: { access: [READ] } })
  await approve(ctx, APPROVER, 'careful', first)
  const next = await givenAgent(ctx, careful, 'waits', {
    prompt: 'Two.',
    key: first.key,
    grant: { access: [READ, WRITE] },
  })
  const path = '/agents/careful/waits'
  assert.equal((await olga('PATCH', path, sent(grantOf([])))).status, 200)
  const { grant, registrations } = (await olga('GET', path)).body
  assert.deepEqual([grant, registrations[0].proposed_grant], [grantOf([]), grantOf([READ, WRITE])])
  await approve(ctx, APPROVER, 'careful', next)
  assert.deepEqual((await olga('GET', path)).body.grant, grantOf([READ, WRITE]))
})

test('the scope is approve:agents, the body a grant, and what is unknown or revoked has none to change', async () => {
  const path = `/agents/${client_id}/worker`
  const auditor = adminCalls(app, await givenAdmin(app), 'audit:read revoke')
  assert.equal((await auditor('PATCH', path, sent(grantOf([])))).status, 403)
  for (const body of [
    {},
    { grant: {} },
    { grant: grantOf([]), status: 'active' },
    { grant: { ...grantOf([]), x: 1 } },
  ]) {
    assert.equal((await olga('PATCH', path, { body })).status, 400)
  }
  assert.equal((await olga('PATCH', `/agents/${client_id}/nobody`, sent(grantOf([])))).status, 404)
  const revocation = { kind: 'agent', id: `${client_id}/worker`, reason: 'x' }
  assert.equal((await olga('POST', '/revocations', { body: revocation })).status, 201)
  const late = await olga('PATCH', path, sent(grantOf([])))
  assert.deepEqual([late.status, late.body.code], [409, 'conflict'])
})

test('the only administrator widens the grant of an agent of its own (section 11)', async () => {
  const own = await givenWorld()
  const only = adminCalls(own.app, await givenAdmin(own.app, { owner: 'user:local:anna' }), 'approve:agents')
  const path = `/agents/${own.client.client_id}/solo`
  assert.equal((await only('PATCH', path, sent(grantOf([])))).status, 200)
  assert.equal((await only('PATCH', path, sent(grantOf([READ], true)))).status, 200)
})
