import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { transaction } from '../../src/server/context.ts'
import { deleteResource } from '../../src/server/registry/resource-changes.ts'
import { enterGateExclusive, enterGateShared } from '../../src/server/store/gate.ts'
import { readResources } from '../../src/server/store/records.ts'
import { lapseOf } from '../../src/server/store/standing.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, givenAdmin, givenClient, givenResource } from '../support/given.ts'
import { adminCalls, lastAudited, somebodyWaits } from './admin-call.ts'

const app = await startTestApp()
const { ctx } = app
const admin = await givenAdmin(app)
const call = adminCalls(app, admin, 'admin:resources')

async function givenApi(resource: string) {
  await givenResource(app, { resource, scopes: [{ name: 'read' }, { name: 'write' }] })
  const grant_types = [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT]
  const client = await givenClient(app, { grant_types, access: [{ resource, scope: 'read write' }] })
  return { client, query: `?resource=${encodeURIComponent(resource)}` }
}

test('a resource changes in what is named; its answer says how many clients lose a scope (section 11)', async () => {
  const resource = 'https://change.example/api'
  const { client, query } = await givenApi(resource)
  await accessToken(app, client, { resource, scope: 'write' })
  const [before] = (await call('GET', `/resources${query}`)).body.items
  const scopes = [{ name: 'read', workflow: false, approval: false }]
  const body = { scopes, max_token_lifetime: 60, workflow_names: 'pairwise', client_id: client.client_id }
  const changed = await call('PATCH', `/resources${query}`, { body })
  const updated_at = ctx.now().toISOString()
  assert.deepEqual([changed.status, changed.body], [200, { ...before, ...body, updated_at, clients: 1 }])
  const { details } = await lastAudited(app, 'resource.update')
  assert.deepEqual(details, {
    resource,
    clients: 1,
    changed: {
      scopes: { before: before.scopes, after: scopes },
      max_token_lifetime: { before: 300, after: 60 },
      workflow_names: { before: 'plain', after: 'pairwise' },
      client_id: { before: null, after: client.client_id },
    },
  })
  await assert.rejects(accessToken(app, client, { resource, scope: 'write' }), /invalid_scope/)
  await accessToken(app, client, { resource, scope: 'read' })
  const without = await call('PATCH', `/resources${query}`, { body: { client_id: null } })
  assert.deepEqual([without.body.client_id, without.body.clients], [null, 0])
})

test('[attack 97] a change of a resource names no member that is not there to change', async () => {
  const { query } = await givenApi('https://members.example/api')
  for (const member of ['resource', 'status', 'created_by', 'created_at', 'owner']) {
    assert.equal((await call('PATCH', `/resources${query}`, { body: { [member]: 'x' } })).status, 400)
  }
  const bodies = [{}, { scopes: [] }, { signing_alg: 'none' }, { max_token_lifetime: 901 }, { client_id: 'nobody' }]
  for (const body of bodies) assert.equal((await call('PATCH', `/resources${query}`, { body })).status, 400)
  assert.equal(
    (await call('PATCH', '/resources?resource=https%3A%2F%2Fnone.example', { body: { allow_bearer: true } })).status,
    404,
  )
  assert.equal((await call('PATCH', '/resources', { body: { allow_bearer: true } })).status, 400)
})

test('for a deleted resource nothing is minted; its name stays taken (section 9)', async () => {
  const resource = 'https://gone.example/api'
  const { client, query } = await givenApi(resource)
  await accessToken(app, client, { resource, scope: 'read' })
  const deleted = await call('DELETE', `/resources${query}&reason=retired`)
  assert.deepEqual([deleted.status, deleted.body.status, deleted.body.clients], [200, 'deleted', 1])
  assert.deepEqual((await lastAudited(app, 'resource.delete')).details, { resource, reason: 'retired', clients: 1 })
  await assert.rejects(accessToken(app, client, { resource, scope: 'read' }), /invalid_target/)
  const [shown] = (await call('GET', `/resources${query}`)).body.items
  assert.equal(shown.status, 'deleted')
  const again = await call('POST', '/resources', { body: { resource, scopes: [{ name: 'read' }] } })
  assert.deepEqual([again.status, again.body.code], [409, 'conflict'])
  assert.equal((await call('PATCH', `/resources${query}`, { body: { allow_bearer: true } })).status, 409)
  assert.equal((await call('DELETE', `/resources${query}&reason=x`)).status, 409)
  const listed = (await call('GET', '/resources?limit=200')).body.items
  assert.equal(
    listed.some((item: { resource: string }) => item.resource === resource),
    false,
  )
  const tombstones = (await call('GET', '/resources?status=deleted')).body.items
  assert.deepEqual(
    tombstones.map((item: { resource: string }) => item.resource),
    [resource],
  )
})

test('a mint that was allowed before the deletion is refused in its write (protocol.md section 9)', async () => {
  const resource = 'https://race.example/api'
  await givenApi(resource)
  const version = (await readResources(ctx, resource))?.version ?? assert.fail()
  const standing = { records: [{ kind: 'resource', id: resource, version }], refs: [], now: ctx.now() } as const
  const mint = () =>
    transaction(ctx, async tx => {
      await enterGateShared(tx)
      return await lapseOf(tx, standing)
    })
  assert.deepEqual(await mint(), { changed: false, revoked: [] })
  await transaction(ctx, async tx => {
    await enterGateExclusive(tx)
    await deleteResource(tx, resource, 'x')
  })
  assert.deepEqual(await mint(), { changed: true, revoked: [] })
})

test('while a mint is in its write a deletion waits, and answers only then (protocol.md section 9)', async () => {
  const { query } = await givenApi('https://gate.example/api')
  const order: string[] = []
  const deletion = await transaction(ctx, async tx => {
    await enterGateShared(tx)
    const answer = call('DELETE', `/resources${query}&reason=x`).then(({ status }) => order.push(`deleted ${status}`))
    await somebodyWaits(app)
    order.push('minted')
    return { answer }
  })
  await deletion.answer
  assert.deepEqual(order, ['minted', 'deleted 200'])
})
