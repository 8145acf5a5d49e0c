import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { givenAdmin, givenClient } from '../support/given.ts'
import { adminCalls, lastAudited } from './admin-call.ts'

const CARL = 'user:local:carl'
const app = await startTestApp()
const carl = adminCalls(app, await givenAdmin(app, { owner: CARL }), 'admin:clients')
const olga = adminCalls(app, await givenAdmin(app, { owner: 'user:local:olga' }), 'admin:clients')

test('the only administrator lowers the policies of its own clients and gives them away (section 11)', async () => {
  const own = await startTestApp()
  const only = adminCalls(own, await givenAdmin(own, { owner: CARL }), 'admin:clients')
  const { client_id } = await givenClient(own, { owner: CARL, policies: { require_approval: true } })
  const patch = (body: object) => only('PATCH', `/clients/${client_id}`, { body })
  assert.equal((await patch({ policies: { require_approval: false, agent_keys: 'endorsed' } })).status, 200)
  assert.equal((await patch({ policies: { require_approval: true } })).status, 200)
  assert.equal((await patch({ owner: 'user:local:anna' })).status, 200)
})

const FALLS = {
  require_approval: [true, false],
  agent_keys: ['registered', 'endorsed'],
  default_grant: ['none', 'client'],
  agent_proof: ['required', 'optional'],
} as const

for (const [name, [high, low]] of Object.entries(FALLS)) {
  test(`[attack 118] ${name} of a client is not for its own owner to lower (section 4; reliability section 6)`, async () => {
    const { client_id } = await givenClient(app, { owner: CARL, policies: { [name]: high } })
    const to = (value: unknown) => ({ body: { policies: { [name]: value } } })
    const { status, body } = await carl('PATCH', `/clients/${client_id}`, to(low))
    assert.deepEqual([status, body.code, body.detail], [403, 'forbidden', detailOf(name)])
    assert.deepEqual(await lastAudited(app, 'client.update'), {
      outcome: 'refused',
      reason: 'own_policy_lowered',
      client_id,
      details: { compared: { acting_owner: CARL, 'owners who may not': CARL } },
    })
    assert.equal((await olga('PATCH', `/clients/${client_id}`, to(low))).body.policies[name], low)
    assert.equal((await carl('PATCH', `/clients/${client_id}`, to(high))).body.policies[name], high)
  })
}

test('[attack 118] who gives a client away in the same request is still its owner (four eyes)', async () => {
  const { client_id } = await givenClient(app, { owner: CARL })
  const body = { owner: 'user:local:anna', policies: { agent_keys: 'endorsed' } }
  const { status } = await carl('PATCH', `/clients/${client_id}`, { body })
  assert.deepEqual([status, (await lastAudited(app, 'client.update')).reason], [403, 'own_policy_lowered'])
})

test('[attack 118] an owner does not give a client with require_approval away, one by one or all at once (four eyes)', async () => {
  const owner = 'user:local:dan'
  const dan = adminCalls(app, await givenAdmin(app, { owner }), 'admin:clients')
  const { client_id } = await givenClient(app, { owner, policies: { require_approval: true } })
  const to = 'user:local:anna'
  const one = await dan('PATCH', `/clients/${client_id}`, { body: { owner: to } })
  assert.deepEqual([one.status, (await lastAudited(app, 'client.update')).reason], [403, 'own_handover'])
  const transfer = { body: { from: owner, to, reason: 'x' } }
  const all = await dan('POST', '/owners/transfer', transfer)
  assert.deepEqual([all.status, (await lastAudited(app, 'owner.transfer')).reason], [403, 'own_handover'])
  assert.equal((await olga('PATCH', `/clients/${client_id}`, { body: { owner: to } })).body.owner, to)
  // What is left of Carl's asks nobody.
  assert.equal((await dan('POST', '/owners/transfer', transfer)).status, 200)
})

test('[attack 118] nor does who registers for it through a client of their own lower it, or give it away (four eyes)', async () => {
  const owner = 'user:local:erna'
  const erna = adminCalls(app, await givenAdmin(app, { owner }), 'admin:clients')
  const { client_id } = await givenClient(app, { policies: { require_approval: true } })
  const pipeline = await givenClient(app, { owner, registers_for: [client_id] })
  const to = (body: object) => ({ body })
  const path = `/clients/${client_id}`
  const lower = to({ policies: { require_approval: false } })
  for (const [reason, change] of [
    ['own_policy_lowered', lower],
    ['own_handover', to({ owner: 'user:local:fritz' })],
    ['own_client_asserted', to({ policies: { workflow_state: 'asserted' } })],
  ] as const) {
    const { status } = await erna('PATCH', path, change)
    const { details, ...row } = await lastAudited(app, 'client.update')
    assert.deepEqual([status, row.reason, Object(details).compared.acting_owner], [403, reason, owner])
  }
  assert.equal((await olga('PATCH', path, lower)).status, 200)
  // Who registers for it no longer is a stranger again.
  assert.equal((await olga('PATCH', path, to({ policies: { require_approval: true } }))).status, 200)
  assert.equal((await olga('PATCH', `/clients/${pipeline.client_id}`, to({ registers_for: [] }))).status, 200)
  assert.equal((await erna('PATCH', path, lower)).status, 200)
})

test('what asks nobody else is the owner’s own: a longer drain, more endorsed keys, the shim', async () => {
  const { client_id } = await givenClient(app, { owner: 'user:local:dora' })
  const dora = adminCalls(app, await givenAdmin(app, { owner: 'user:local:dora' }), 'admin:clients')
  const policies = { max_drain_seconds: 86_400, max_endorsed_keys: 100_000, shim: 'record', require_approval: true }
  const { status, body } = await dora('PATCH', `/clients/${client_id}`, { body: { policies } })
  assert.deepEqual([status, { ...body.policies, ...policies }], [200, body.policies])
})

function detailOf(name: string): string {
  return `Somebody else must lower ${name}: the acting owner owns the client, or one that registers for it.`
}
