import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { adminCalls } from './admin-call.ts'

const app = await startTestApp()
const { issuer } = app
const admin = await givenAdmin(app)
const call = adminCalls(app, admin, 'admin:clients approve:agents revoke')
const GRANTED = { access: [], outside_workflow: true }

/** Agents of a careful client: one that counts beside a version that waits, one that only waits, one that drains. */
async function crew() {
  const client = await givenClient(app, { policies: { require_approval: true } })
  const { client_id } = client
  const approve = async ({ agent_id, registration_id, checksum }: Awaited<ReturnType<typeof version>>) => {
    const body = { registration_id, checksum }
    assert.equal((await call('POST', `/agents/${client_id}/${agent_id}/approve`, { body })).status, 200)
  }
  const version = (agent_id: string, prompt_template: string, over: object = {}) => {
    const agent_components = { agent_id, prompt_template, tools: [] }
    return givenAgent(app, client, agent_id, { agent_components, public_key: undefined, ...over })
  }
  await approve(await version('counts', 'One.'))
  const waiting = await version('counts', 'Two.')
  await version('waits', 'One.')
  await approve(await version('drains', 'One.', { grant: GRANTED }))
  await approve(await version('drains', 'Two.', { drain_seconds: 60 }))
  return { client, client_id, waiting }
}

const idsOf = async (client_id: string, status: string) => {
  const { body } = await call('GET', `/agents?client_id=${client_id}&status=${status}`)
  return body.items.map((item: { agent_id: string }) => item.agent_id)
}

async function statesOf(client_id: string, agent_id: string) {
  const { body } = await call('GET', `/agents/${client_id}/${agent_id}`)
  const versions = body.registrations.map((one: { version: number; status: string }) => `${one.version} ${one.status}`)
  return [body.agent_status, body.status, body.pending, ...versions]
}

async function listsOf(client_id: string) {
  const lists = ['pending', 'active', 'suspended', 'revoked'].map(
    async status => [status, await idsOf(client_id, status)] as const,
  )
  return Object.fromEntries(await Promise.all(lists))
}

for (const [how, end] of Object.entries({
  revoked: (client_id: string) =>
    call('POST', '/revocations', { body: { kind: 'client', id: client_id, reason: 'x' } }),
  deleted: (client_id: string) => call('DELETE', `/clients/${client_id}?reason=x`),
})) {
  test(`agents and versions of a ${how} client are revoked: nothing of it waits for anybody (sections 4 and 9)`, async () => {
    const { client_id, waiting } = await crew()
    const other = await crew()
    const path = `/agents/${client_id}/counts`
    assert.equal(
      (await call('POST', `${path.replace('counts', 'waits')}/suspend`, { body: { reason: 'x' } })).status,
      200,
    )
    assert.deepEqual(await listsOf(client_id), {
      pending: ['counts', 'waits'],
      active: ['counts', 'drains'],
      suspended: ['waits'],
      revoked: [],
    })
    assert.ok((await end(client_id)).status < 300)
    const everyone = ['counts', 'drains', 'waits']
    assert.deepEqual(await listsOf(client_id), { pending: [], active: [], suspended: [], revoked: everyone })
    assert.deepEqual(await statesOf(client_id, 'counts'), ['revoked', 'revoked', 0, '2 revoked', '1 revoked'])
    assert.deepEqual(await statesOf(client_id, 'waits'), ['revoked', 'revoked', 0, '1 revoked'])
    assert.deepEqual(await statesOf(client_id, 'drains'), ['revoked', 'revoked', 0, '2 revoked', '1 revoked'])
    const { body } = await call('GET', `${path}/versions/${waiting.registration_id}`)
    assert.equal(body.status, 'revoked')
    assert.equal((await call('GET', `/agents/${client_id}/waits`)).body.suspended, null)
    // What stands elsewhere is as it was.
    assert.deepEqual(await idsOf(other.client_id, 'pending'), ['counts', 'waits'])
    assert.deepEqual(await statesOf(other.client_id, 'drains'), ['active', 'active', 0, '2 active', '1 draining'])
  })
}

test('versions of a revoked agent are revoked, also for its client; those that had ended stay so (sections 4 and 9)', async () => {
  const { client, client_id } = await crew()
  const id = `${client_id}/drains`
  app.clock.advance(60)
  assert.equal((await call('POST', '/revocations', { body: { kind: 'agent', id, reason: 'x' } })).status, 201)
  assert.deepEqual(await statesOf(client_id, 'drains'), ['revoked', 'revoked', 0, '2 revoked', '1 retired'])
  assert.equal(
    (await call('POST', '/revocations', { body: { kind: 'agent', id: `${client_id}/waits`, reason: 'x' } })).status,
    201,
  )
  assert.deepEqual(await listsOf(client_id), {
    pending: ['counts'],
    active: ['counts'],
    suspended: [],
    revoked: ['drains', 'waits'],
  })
  const url = `${issuer}/intent/agents`
  const token = await accessToken(app, client, { resource: issuer, scope: 'read:agents' })
  const response = await fetch(url, { headers: await boundHeaders(app, client, token, { method: 'GET', url }) })
  const { [client_id]: agents } = JSON.parse(await response.text())
  assert.deepEqual(
    agents.map((agent: { agent_id: string; status: string }) => [agent.agent_id, agent.status]),
    [
      ['counts', 'active'],
      ['drains', 'revoked'],
      ['waits', 'revoked'],
    ],
  )
})
