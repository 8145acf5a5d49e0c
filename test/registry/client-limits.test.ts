import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { givenAdmin, givenClient } from '../support/given.ts'
import { adminCalls, lastAudited } from './admin-call.ts'

const app = await startTestApp()
const call = adminCalls(app, await givenAdmin(app), 'admin:clients')

const CLIENT = {
  ...{ client_name: 'App', owner: 'user:local:anna', kind: 'app', token_endpoint_auth_method: 'client_secret_basic' },
  ...{ grant_types: ['client_credentials'], access: [] },
}

test('a new client has the default of each limit that is not named (section 6)', async () => {
  const made = [
    [undefined, { max_tokens: 16, max_children: 16, max_nodes: 256 }],
    [{}, { max_tokens: 16, max_children: 16, max_nodes: 256 }],
    [{ max_tokens: 4 }, { max_tokens: 4, max_children: 16, max_nodes: 256 }],
    [
      { max_children: 0, max_nodes: 8 },
      { max_tokens: 16, max_children: 0, max_nodes: 8 },
    ],
  ] as const
  for (const [limits, expected] of made) {
    const { status, body } = await call('POST', '/clients', { body: { ...CLIENT, policies: { limits } } })
    assert.deepEqual([status, body.policies.limits], [201, expected])
  }
})

test('a change of one limit leaves the others as they are (section 11)', async () => {
  const { client_id } = await givenClient(app, { policies: { limits: { max_tokens: 4, max_children: 2 } } })
  const { body: before } = await call('GET', `/clients/${client_id}`)
  const body = { policies: { limits: { max_nodes: 8 } } }

  const { status, body: view } = await call('PATCH', `/clients/${client_id}`, { body })

  const limits = { max_tokens: 4, max_children: 2, max_nodes: 8 }
  const policies = { ...before.policies, limits }
  assert.deepEqual([status, view], [200, { ...before, policies, updated_at: app.ctx.now().toISOString() }])
  assert.deepEqual((await lastAudited(app, 'client.update')).details, {
    changed: { 'policies.limits': { before: { ...limits, max_nodes: 256 }, after: limits } },
  })
  const kept = await call('PATCH', `/clients/${client_id}`, { body: { policies: { shim: 'off' } } })
  assert.deepEqual(kept.body, view)
})

test('[attack 97] of limits nothing else is taken, made new or changed', async () => {
  const { client_id } = await givenClient(app)
  for (const limits of [{ max_tokens: 0 }, { max_tokens: '4' }, { max_token: 4 }, { max_nodes: null }, 4, null]) {
    const made = await call('POST', '/clients', { body: { ...CLIENT, policies: { limits } } })
    const changed = await call('PATCH', `/clients/${client_id}`, { body: { policies: { limits } } })
    assert.deepEqual([made.status, changed.status], [400, 400], JSON.stringify(limits))
  }
})
