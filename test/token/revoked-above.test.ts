import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentSubject } from '../../src/protocol/names.ts'
import { transaction } from '../../src/server/context.ts'
import { resume, suspend } from '../../src/server/registry/agent-suspension.ts'
import { deregisterWorkflow } from '../../src/server/registry/workflow-deregistration.ts'
import { caller } from '../registry/given.ts'
import { revoke } from '../registry/given-revocation.ts'
import { startTestApp } from '../support/app.ts'
import { givenAgent, givenClient, givenResource } from '../support/given.ts'
import { delegationClaims, givenWorkflow, type Minted, mint, signedDelegation } from '../support/recorded.ts'

const app = await startTestApp()
const { ctx, clock } = app
const API = 'https://api.example.test'
await givenResource(app, { resource: API, scopes: [{ name: 'read' }] })
const access = [{ resource: API, scope: 'read' }]

async function isActive(jti: string | undefined): Promise<boolean> {
  const row = await ctx.db
    .selectFrom('revocation')
    .select('seq')
    .where('kind', '=', 'token')
    .where('id', '=', jti ?? '')
    .executeTakeFirst()
  return row === undefined
}

/** Planner → worker → helper, within the planner's step where `workflow_id` is given; every hop has minted once. */
async function scene(workflow_id?: string) {
  const client = await givenClient(app, {
    access: [...access, { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' }],
  })
  const grant = { access, outside_workflow: true }
  const planner = await givenAgent(app, client, 'planner', { grant })
  const worker = await givenAgent(app, client, 'worker', { grant })
  const helper = await givenAgent(app, client, 'helper', { grant })
  const steps = [{ step_id: 'plan', agent_id: 'planner' }]
  if (workflow_id !== undefined) await givenWorkflow(app, client, workflow_id, steps)
  const ask = { resource: API, scope: 'read', ...(workflow_id !== undefined && { workflow_id, step: 'plan' }) }
  const root = await mint(app, client, planner, ask)
  assert.ok(root.claims, JSON.stringify(root.body))
  const { execution_id } = root.claims.intent ?? {}
  const exp = clock.seconds() + 3_000
  const first = await signedDelegation(planner.key, delegationClaims(app, client, root.claims, worker, { exp }))
  const again = { ...ask, execution_id }
  const asWorker = () => mint(app, client, worker, { ...again, delegation_assertion: first })
  const child = await asWorker()
  assert.ok(child.claims, JSON.stringify(child.body))
  const next = delegationClaims(app, client, child.claims, helper, { above: first, exp })
  const second = await signedDelegation(worker.key, next)
  const asHelper = () => mint(app, client, helper, { ...again, delegation_assertion: second })
  const grandchild = await asHelper()
  assert.ok(grandchild.claims, JSON.stringify(grandchild.body))
  const { client_id } = client
  const join = () => mint(app, client, planner, again)
  const jtis = { root: root.claims.jti, child: child.claims.jti, grandchild: grandchild.claims.jti }
  return { client, client_id, planner, worker, execution_id: execution_id ?? '', jtis, asWorker, asHelper, join }
}

function said({ status, body }: Minted): unknown[] {
  return [status, body.error]
}

test('a delegation is presented again until it ends, by whoever holds its key (section 6)', async () => {
  const { asWorker, asHelper } = await scene()
  clock.advance(1_200)
  assert.deepEqual([(await asWorker()).status, (await asHelper()).status], [200, 200])
})

type Given = Awaited<ReturnType<typeof scene>>
type Case = { readonly kind: string; readonly id: (given: Given) => string; readonly workflow_id?: string }

const REFUSED = [403, 'delegation_unauthorized']
const OF_STEP = [403, 'workflow_step_unauthorized']
const CASES: readonly (Case & { readonly refused: unknown[] })[] = [
  { kind: 'token', id: ({ jtis }) => jtis.root, refused: REFUSED },
  { kind: 'registration', id: ({ planner }) => planner.registration_id, refused: REFUSED },
  { kind: 'agent', id: ({ client_id }) => `${client_id}/planner`, refused: REFUSED },
  { kind: 'key', id: ({ planner }) => planner.key.jkt, refused: REFUSED },
  { kind: 'initiator', id: ({ client_id }) => agentSubject(client_id, 'planner'), refused: REFUSED },
  { kind: 'client', id: ({ client_id }) => client_id, refused: [401, 'invalid_client'] },
  { kind: 'token', id: ({ jtis }) => jtis.root, workflow_id: 'w', refused: REFUSED },
  { kind: 'execution', id: ({ execution_id }) => execution_id, workflow_id: 'w', refused: OF_STEP },
  { kind: 'workflow', id: ({ client_id }) => `${client_id}/w`, workflow_id: 'w', refused: OF_STEP },
  { kind: 'initiator', id: ({ client_id }) => agentSubject(client_id, 'planner'), workflow_id: 'w', refused: OF_STEP },
]

for (const { kind, id, workflow_id, refused } of CASES) {
  const where = workflow_id === undefined ? 'without a workflow' : 'in an execution'
  test(`[attack 66] nothing is minted below a ${kind} that was revoked ${where}, also when its entry has ended (section 9)`, async () => {
    const given = await scene(workflow_id)
    await revoke(ctx, kind, id(given))
    const isRefused = async (minted: Minted) => assert.equal(minted.status === 200, false, JSON.stringify(minted.body))
    await isRefused(await given.asWorker())
    await isRefused(await given.asHelper())
    // Entries end 960 s after the act (section 9).
    clock.advance(1_200)
    assert.deepEqual(said(await given.asWorker()).slice(0, refused.length), refused)
    assert.deepEqual(said(await given.asHelper()).slice(0, refused.length), refused)
  })
}

test('[attack 66] below a revoked token of the middle nothing is minted; above it all goes on (section 9)', async () => {
  const { jtis, asWorker, asHelper } = await scene('w')
  await revoke(ctx, 'token', jtis.child)
  assert.deepEqual([await isActive(jtis.root), await isActive(jtis.grandchild)], [true, false])
  assert.equal((await asWorker()).status, 200)
  assert.deepEqual(said(await asHelper()), REFUSED)
  clock.advance(1_200)
  assert.equal((await asWorker()).status, 200)
  assert.deepEqual(said(await asHelper()), REFUSED)
})

test('[attack 66] an assertion that was never presented is refused for a revoked parent (section 9)', async () => {
  const { client, planner, worker, jtis } = await scene()
  await revoke(ctx, 'token', jtis.child)
  await revoke(ctx, 'token', jtis.root)
  const { claims } = await mint(app, client, planner, { resource: API, scope: 'read' })
  assert.ok(claims)
  const forRevoked = delegationClaims(app, client, { ...claims, jti: jtis.root }, worker)
  const delegation_assertion = await signedDelegation(planner.key, forRevoked)
  assert.deepEqual(
    said(await mint(app, client, worker, { resource: API, scope: 'read', delegation_assertion })),
    REFUSED,
  )
})

test('while an agent is suspended nothing is minted below it, and when it is resumed its delegations hold again (section 9)', async () => {
  const { client_id, asWorker, asHelper, jtis } = await scene()
  const name = { client_id, agent_id: 'planner' }
  const by = (acting_owner: string) => caller({ acting_owner })
  await transaction(ctx, tx => suspend(tx, by('user:local:eve'), name, { reason: 'It leaks.' }))
  assert.deepEqual([await isActive(jtis.child), await isActive(jtis.grandchild)], [false, false])
  assert.deepEqual([said(await asWorker()), said(await asHelper())], [REFUSED, REFUSED])
  clock.advance(961)
  assert.deepEqual([said(await asWorker()), said(await asHelper())], [REFUSED, REFUSED])
  await transaction(ctx, tx => resume(tx, by('user:local:otto'), name))
  assert.deepEqual([(await asWorker()).status, (await asHelper()).status], [200, 200])
})

test('[attack 77] a workflow with open executions is not deregistered; close ends them, their live tokens run out (section 5)', async () => {
  const { client_id, execution_id, asWorker, join, jtis } = await scene('w')
  const registering = caller({ client_id, sub: client_id, acting_owner: 'user:local:anna', registers_for: [] })
  const end = (close: 'true' | 'false') =>
    transaction(ctx, tx => deregisterWorkflow(tx, registering, { workflow_id: 'w', close }))
  await assert.rejects(end('false'), {
    code: 'invalid_request',
    reason: 'open_executions',
    details: { status: 409, reason: 'open_executions' },
  })
  assert.equal((await join()).status, 200)
  assert.deepEqual((await end('true')).body, { status: 'deregistered', workflow_id: 'w', version: 1, closed: 1 })
  assert.deepEqual([said(await join()), said(await asWorker())], [OF_STEP, OF_STEP])
  assert.deepEqual([await isActive(jtis.root), await isActive(jtis.child)], [true, true])
  const row = await ctx.db
    .selectFrom('execution')
    .select(['status', 'ended_at'])
    .where('execution_id', '=', execution_id)
    .executeTakeFirst()
  assert.deepEqual(row, { status: 'closed', ended_at: ctx.now() })
  assert.equal((await end('false')).body.closed, 0)
})

test('[attack 77] an execution that has expired does not keep its workflow (section 5)', async () => {
  const { client_id } = await scene('w')
  clock.advance(3_600)
  const registering = caller({ client_id, sub: client_id, acting_owner: 'user:local:anna', registers_for: [] })
  const { body } = await transaction(ctx, tx => deregisterWorkflow(tx, registering, { workflow_id: 'w' }))
  assert.deepEqual(body, { status: 'deregistered', workflow_id: 'w', version: 1, closed: 0 })
})

test('[attack 77] another version changes nothing for an execution that runs (section 5)', async () => {
  const { client, join, asWorker, worker } = await scene('w')
  await givenWorkflow(app, client, 'w', [{ step_id: 'plan', agent_id: 'worker' }])
  assert.deepEqual([(await join()).status, (await asWorker()).status], [200, 200])
  const ask = { resource: API, scope: 'read', workflow_id: 'w', step: 'plan' }
  const opened = await mint(app, client, worker, ask)
  assert.equal(opened.status, 200, JSON.stringify(opened.body))
})
