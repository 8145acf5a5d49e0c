import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { clientUpdateSchema } from '../../src/protocol/client.ts'
import { transaction } from '../../src/server/context.ts'
import { changeClient } from '../../src/server/registry/client-update.ts'
import { caller } from '../registry/given.ts'
import { startTestApp } from '../support/app.ts'
import { type GivenClient, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { delegationClaims, givenWorkflow, type Minted, mint, signedDelegation } from '../support/recorded.ts'

const app = await startTestApp()
const { ctx, clock } = app
const API = 'https://api.example.test'
await givenResource(app, { resource: API, scopes: [{ name: 'read' }, { name: 'write' }] })
const access = [{ resource: API, scope: 'read write' }]

async function scene() {
  const client = await givenClient(app, {
    access: [...access, { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }],
  })
  const agents = {
    planner: await givenAgent(app, client, 'planner', { grant: { access } }),
    patcher: await givenAgent(app, client, 'patcher', { grant: { access } }),
    helper: await givenAgent(app, client, 'helper', { grant: { access } }),
  }
  await givenWorkflow(app, client, 'flow', [
    { step_id: 'plan', agent_id: 'planner', repeatable: true },
    { step_id: 'patch', agent_id: 'patcher' },
  ])
  return { client, ...agents }
}

const ASK = { resource: API, scope: 'read', workflow_id: 'flow' }

async function asserted({ client_id }: GivenClient): Promise<void> {
  await sql`update client set policies = policies || '{"workflow_state": "asserted"}'::jsonb
    where client_id = ${client_id}`.execute(ctx.db)
}

test('[attack 68] what was recorded is not carried on in asserted mode: no step is lent from it (section 6, ADR 18)', async () => {
  const { client, planner, helper } = await scene()
  const root = await mint(app, client, planner, { ...ASK, step: 'plan' })
  assert.ok(root.claims)
  await asserted(client)
  for (const step of ['plan', 'patch']) {
    const claims = delegationClaims(app, client, root.claims, helper, { workflow_step: step })
    const delegation_assertion = await signedDelegation(planner.key, claims)
    const more = { delegation_context: { completed_steps: [] } }
    const lent = await mint(app, client, helper, { ...ASK, step, delegation_assertion, more })
    assert.deepEqual([lent.status, lent.body.error], [403, 'delegation_unauthorized'], step)
  }
})

test('a delegation ends with the entry of the step in which it was given (section 6)', async () => {
  const { client, planner, patcher, helper } = await scene()
  const first = await mint(app, client, planner, { ...ASK, step: 'plan' })
  assert.ok(first.claims)
  const { execution_id } = first.claims.intent ?? {}
  const lend = async (claims: Minted['claims']) =>
    await signedDelegation(planner.key, delegationClaims(app, client, claims ?? assert.fail(), helper))
  const delegation_assertion = await lend(first.claims)
  const asHelper = { ...ASK, step: 'plan', execution_id }
  assert.equal((await mint(app, client, helper, { ...asHelper, delegation_assertion })).status, 200)
  assert.equal((await mint(app, client, patcher, { ...ASK, step: 'patch', execution_id })).status, 200)
  const again = await mint(app, client, planner, { ...ASK, step: 'plan', execution_id })
  assert.equal(again.status, 200)
  clock.advance(1)
  const late = await mint(app, client, helper, { ...asHelper, delegation_assertion })
  assert.deepEqual([late.status, late.body.error], [403, 'workflow_step_unauthorized'])
  assert.equal(
    (await mint(app, client, helper, { ...asHelper, delegation_assertion: await lend(again.claims) })).status,
    200,
  )
})

test('its own owner does not let a client vouch for its steps, nor anybody while executions are open (section 11)', async () => {
  const { client, planner } = await scene()
  const { client_id } = client
  const body = clientUpdateSchema.parse({ policies: { workflow_state: 'asserted' } })
  const change = async (acting_owner: string) =>
    await transaction(ctx, tx => changeClient(tx, caller({ acting_owner }), client_id, body, undefined))
  await assert.rejects(change('user:local:anna'), { reason: 'own_client_asserted' })
  assert.equal((await mint(app, client, planner, { ...ASK, step: 'plan' })).status, 200)
  await assert.rejects(change('user:local:otto'), { reason: 'open_executions' })
  clock.advance(3_601)
  assert.equal((await change('user:local:otto')).body.policies.workflow_state, 'asserted')
})
