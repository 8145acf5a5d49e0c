import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { transaction } from '../../src/server/context.ts'
import { insertRevocations } from '../../src/server/store/revocations.ts'
import type { RevocationKind } from '../../src/server/store/schema.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, type GivenClient, givenAdmin, givenAgent, givenClient } from '../support/given.ts'
import { caller, registerFlow } from './given.ts'
import { givenApproval, givenDelegation, givenEntry, givenExecution, givenGate } from './given-execution.ts'

const app = await startTestApp()
const { ctx, issuer, adminUrl, clock } = app
const admin = await givenAdmin(app)
const client = await givenClient(app)
const stranger = await givenClient(app, { registers_for: [client.client_id] })
const { client_id } = client
const workflow_id = 'patch'
const INITIATOR = 'user:corp:42'

const STEPS = [
  { step_id: 'scan', agent_id: 'planner', required: true },
  { step_id: 'check', approval_gate: true, required: true, dependencies: ['scan'] },
  { step_id: 'apply', agent_id: 'patcher', requires_approval: true, action: 'writes', dependencies: ['check'] },
  { step_id: 'look', agent_id: 'planner', repeatable: true, reversible: false },
]
await givenAgent(app, client, 'planner')
await givenAgent(app, client, 'patcher')
await registerFlow(ctx, caller({ client_id, sub: client_id, acting_owner: 'user:local:anna' }), STEPS, workflow_id)

async function get(by: GivenClient, url: string, scope: string) {
  clock.advance(1)
  const resource = url.startsWith(issuer) ? issuer : `${issuer}/admin`
  const token = await accessToken(app, by, { resource, scope })
  const headers = await boundHeaders(app, by, token, { method: 'GET', url: url.split('?', 1)[0] ?? url })
  const response = await fetch(url, { headers })
  return { status: response.status, body: JSON.parse(await response.text()) }
}

const asClient = (id: string, by = client) => get(by, `${issuer}/intent/executions/${id}`, 'generate:intent-token')
const asAdmin = (path: string) => get(admin, `${adminUrl}/admin/v1/executions${path}`, 'audit:read')

async function stepsOf(execution_id: string) {
  const { steps } = (await asAdmin(`/${execution_id}`)).body
  return steps.map((step: { step_id: string; state: string; protected: boolean }) =>
    [step.step_id, step.state, ...(step.protected ? ['protected'] : [])].join(' '),
  )
}

async function revoked(kind: RevocationKind, id: string): Promise<void> {
  const act = { reason: 'test', revoked_by: 'test', now: ctx.now() }
  await transaction(ctx, tx => insertRevocations(tx, [{ kind, id }], act))
}

test('an execution shows its steps as a graph, its tokens, delegations and approvals; never arguments (section 2)', async () => {
  const execution_id = await givenExecution(ctx, client_id, workflow_id, { intent_digest: 'd'.repeat(43) })
  const at = { client_id, workflow_id, execution_id }
  const opened_at = ctx.now().toISOString()
  const jti = await givenEntry(ctx, at, { step_id: 'scan', agent_id: 'planner' })
  const asked = { step_id: 'apply', agent_id: 'patcher', arguments: { secret: 'hunter2' } }
  const { approval_id, arguments_digest } = await givenApproval(ctx, at, asked)
  const delegation = { parent_jti: jti, workflow_step: 'apply' }
  const delegation_id = await givenDelegation(ctx, at, ['planner', 'patcher'], delegation)
  const { status, body } = await asClient(execution_id)
  assert.equal(status, 200)
  const rules = { required: false, requires_approval: false, approval_gate: false, repeatable: false, reversible: true }
  const untouched = { entries: 0, tokens: 0, entered_at: null, left_at: null, protected: false, action: null }
  const expires_at = new Date(Date.parse(opened_at) + 3_600_000).toISOString()
  const token_end = new Date(Date.parse(opened_at) + 300_000).toISOString()
  const subjects = { delegator: `agent:${client_id}:planner`, delegate: `agent:${client_id}:patcher` }
  assert.deepEqual(body, {
    ...{ execution_id, client_id, workflow_id, workflow_version: 1, initiated_by: INITIATOR },
    ...{ intent_digest: 'd'.repeat(43), limits: { max_tokens: 16, max_children: 16, max_nodes: 256 } },
    ...{ status: 'open', opened_at, opened_by: client_id, expires_at, ended_at: null, tokens_minted: 1 },
    steps: [
      {
        ...{ ...rules, ...untouched, step_id: 'scan', agent_id: 'planner', required: true, dependencies: [] },
        ...{ state: 'entered', entries: 1, tokens: 1, entered_at: opened_at },
      },
      {
        ...{ ...rules, ...untouched, step_id: 'check', agent_id: null, required: true, approval_gate: true },
        ...{ dependencies: ['scan'], state: 'open' },
      },
      {
        ...{ ...rules, ...untouched, step_id: 'apply', agent_id: 'patcher', requires_approval: true, action: 'writes' },
        ...{ dependencies: ['check'], state: 'open', protected: true },
      },
      {
        ...{ ...rules, ...untouched, step_id: 'look', agent_id: 'planner', repeatable: true, reversible: false },
        ...{ dependencies: [], state: 'open', protected: true },
      },
    ],
    edges: [
      { from: 'scan', to: 'check', kind: 'dependency' },
      { from: 'check', to: 'apply', kind: 'dependency' },
      { from: 'check', to: 'look', kind: 'order' },
    ],
    tokens: [
      {
        ...{ jti, agent_id: 'planner', workflow_step: 'scan', resource: 'https://crm.example/api', scope: 'read' },
        ...{ parent_jti: null, delegation_id: null, approval_id: null, issued_at: opened_at, expires_at: token_end },
        status: 'live',
      },
    ],
    delegations: [
      {
        ...{ delegation_id, ...subjects, parent_jti: jti, workflow_step: 'apply', scope: 'read' },
        ...{ resource: 'https://crm.example/api', chain: Object.values(subjects) },
        ...{ issued_at: opened_at, expires_at, status: 'live' },
      },
    ],
    approvals: [
      {
        ...{ approval_id, step_id: 'apply', status: 'pending', arguments_digest, opened_at },
        ...{ decided_at: null, decided_by: null, consumed_at: null },
      },
    ],
  })
  assert.deepEqual((await asAdmin(`/${execution_id}`)).body, body, 'an administrator sees the same')
})

test('[attack 80] an execution of another client, an unknown one and one it registers for answer alike: 404', async () => {
  const execution_id = await givenExecution(ctx, client_id, workflow_id)
  const foreign = await asClient(execution_id, stranger)
  const unknown = await asClient(`exe_${'A'.repeat(22)}`, stranger)
  assert.deepEqual([foreign.status, unknown.status], [404, 404])
  assert.deepEqual(foreign.body, unknown.body)
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'reason', 'actor'])
    .where('action', '=', 'read')
    .where('client_id', '=', stranger.client_id)
    .execute()
  const row = { outcome: 'refused', reason: 'unknown_execution', actor: stranger.client_id }
  assert.deepEqual(rows, [row, row])
  assert.equal((await asClient('exe_short')).status, 400)
})

test('an execution is read by whoever may mint in it, all of them with audit:read, and nobody else', async () => {
  const execution_id = await givenExecution(ctx, client_id, workflow_id)
  const reader = `${issuer}/intent/executions/${execution_id}`
  assert.equal((await get(client, reader, 'read:agents')).status, 403)
  assert.equal((await get(admin, `${adminUrl}/admin/v1/executions`, 'revoke')).status, 403)
  assert.equal((await get(admin, `${adminUrl}/admin/v1/executions/${execution_id}`, 'approve:steps')).status, 403)
})

test('a step waits, is open, entered, left, granted; it is protected while an approval is missing (section 6)', async () => {
  const execution_id = await givenExecution(ctx, client_id, workflow_id)
  const at = { client_id, workflow_id, execution_id }
  assert.deepEqual(await stepsOf(execution_id), [
    'scan open',
    'check waiting',
    'apply waiting protected',
    'look waiting protected',
  ])
  await givenEntry(ctx, at, { step_id: 'scan', agent_id: 'planner' })
  const asked = { step_id: 'apply', agent_id: 'patcher' }
  const granted = { status: 'granted', decided_at: ctx.now(), decided_by: 'user:local:eve' } as const
  const { approval_id } = await givenApproval(ctx, at, asked, granted)
  await givenGate(ctx, execution_id, 'check')
  assert.deepEqual(await stepsOf(execution_id), ['scan entered', 'check granted', 'apply open', 'look open'])
  await givenEntry(ctx, at, { step_id: 'apply', agent_id: 'patcher', leaves: ['scan'] }, { approval_id })
  await ctx.db
    .updateTable('approval')
    .set({ entry: 1, consumed_at: ctx.now() })
    .where('approval_id', '=', approval_id)
    .execute()
  assert.deepEqual(await stepsOf(execution_id), ['scan left', 'check granted', 'apply entered', 'look open'])
  await givenApproval(ctx, at, { ...asked, arguments: { other: true } })
  assert.deepEqual((await stepsOf(execution_id))[2], 'apply entered', 'one that waits takes nothing away')
  const step = { step_id: 'look', agent_id: 'planner', leaves: ['apply'] }
  await givenEntry(ctx, at, step)
  assert.deepEqual((await stepsOf(execution_id))[2], 'apply left', 'what cannot be entered again needs no approval')
})

test('a token or delegation is live, expired, or revoked for good or while an entry stands (section 9)', async () => {
  const execution_id = await givenExecution(ctx, client_id, workflow_id)
  const at = { client_id, workflow_id, execution_id }
  const entry = (members: object) =>
    givenEntry(ctx, at, { step_id: 'scan', agent_id: 'planner' }, { kid: 'k-live', ...members })
  const marks = {
    live: await entry({}),
    expired: await entry({ expires_at: ctx.now() }),
    'revoked for good': await entry({ revoked_at: ctx.now() }),
    'its own entry': await entry({}),
    'the key of the token': await entry({ jkt: 'stolen' }),
    'the key that signed': await entry({ kid: 'k-dead' }),
    'its version': await entry({ registration_id: 'reg-dead' }),
    'its agent': await entry({ agent_id: 'dead-agent' }),
    'its initiator': await entry({ initiated_by: 'user:corp:gone' }),
    'an entry that was lifted': await entry({ agent_id: 'resumed-agent' }),
    'an entry that ended': await entry({ initiated_by: 'user:corp:back' }),
  }
  await revoked('token', marks['its own entry'])
  await revoked('key', 'stolen')
  await revoked('key', 'k-dead')
  await revoked('registration', 'reg-dead')
  await revoked('agent', `${client_id}/dead-agent`)
  await revoked('initiator', 'user:corp:gone')
  await revoked('agent', `${client_id}/resumed-agent`)
  await ctx.db.updateTable('revocation').set({ lifted_at: ctx.now() }).where('id', 'like', '%/resumed-agent').execute()
  await revoked('initiator', 'user:corp:back')
  await ctx.db.updateTable('revocation').set({ ends_at: ctx.now() }).where('id', '=', 'user:corp:back').execute()
  const { tokens } = (await asAdmin(`/${execution_id}`)).body
  const status = new Map(tokens.map((token: { jti: string; status: string }) => [token.jti, token.status]))
  const found = Object.entries(marks).map(([mark, jti]) => [mark, status.get(jti)])
  const fates: Readonly<Record<string, string>> = {
    ...{ live: 'live', 'an entry that was lifted': 'live', 'an entry that ended': 'live', expired: 'expired' },
  }
  const expected = Object.keys(marks).map(mark => [mark, fates[mark] ?? 'revoked'])
  assert.deepEqual(found, expected)
})

test('nothing is live of what was delegated by what was revoked, to any depth (section 9)', async () => {
  const execution_id = await givenExecution(ctx, client_id, workflow_id)
  const at = { client_id, workflow_id, execution_id }
  const statusOf = async (delegation_id: string) =>
    (await asAdmin(`/${execution_id}`)).body.delegations.find(
      (delegation: { delegation_id: string }) => delegation.delegation_id === delegation_id,
    ).status
  const above = await givenDelegation(ctx, at, ['a', 'b'], { delegator_jkt: 'jkt-of-a' })
  const below = await givenDelegation(ctx, at, ['a', 'b', 'c'], { parent_delegation_id: above })
  const last = await givenDelegation(ctx, at, ['a', 'b', 'c', 'd'], { parent_delegation_id: below })
  const over = await givenDelegation(ctx, at, ['a', 'e'], { expires_at: ctx.now() })
  const ended = await givenDelegation(ctx, at, ['a', 'f'], { revoked_at: ctx.now() })
  const beside = await givenDelegation(ctx, at, ['x', 'y'])
  assert.deepEqual(await Promise.all([above, below, last, beside].map(statusOf)), ['live', 'live', 'live', 'live'])
  assert.deepEqual([await statusOf(over), await statusOf(ended)], ['expired', 'revoked'])
  await revoked('key', 'jkt-of-a')
  const after = [above, below, last, beside]
  assert.deepEqual(await Promise.all(after.map(statusOf)), ['revoked', 'revoked', 'revoked', 'live'])
  await revoked('agent', `${client_id}/y`)
  assert.equal(await statusOf(beside), 'revoked')
})

test('a delegation is revoked by an entry of everything that it rests on (section 9)', async () => {
  const other = await givenClient(app)
  const of = { client_id: other.client_id, workflow_id: 'one' }
  await givenAgent(app, other, 'planner')
  const by = caller({ client_id: other.client_id, sub: other.client_id, acting_owner: 'user:local:anna' })
  await registerFlow(ctx, by, [{ step_id: 'a', agent_id: 'planner' }], 'one')
  const of_user = { initiated_by: 'user:corp:left' }
  const [above, key] = ['jti-above', 'jkt-of-delegate']
  const cases = [
    ['token', above, { parent_jti: above }, {}],
    ['key', key, { jkt: key }, {}],
    ['agent', `${other.client_id}/delegator`, {}, {}],
    ['initiator', 'user:corp:left', {}, of_user],
    ['execution', '', {}, {}],
    ['client', other.client_id, {}, {}],
  ] as const
  for (const [kind, id, members, execution] of cases) {
    const execution_id = await givenExecution(ctx, other.client_id, 'one', execution)
    const chain = kind === 'agent' ? ['delegator', 'b'] : ['a', 'b']
    await givenDelegation(ctx, { ...of, execution_id }, chain, members)
    const fate = async () => (await asAdmin(`/${execution_id}`)).body.delegations[0].status
    assert.equal(await fate(), 'live', kind)
    await revoked(kind, id === '' ? execution_id : id)
    assert.equal(await fate(), 'revoked', kind)
  }
})

test('the list shows the newest first, page by page, by client, workflow, initiator and status (section 11)', async () => {
  const other = await givenClient(app)
  await givenAgent(app, other, 'planner')
  const by = caller({ client_id: other.client_id, sub: other.client_id, acting_owner: 'user:local:anna' })
  for (const id of ['one', 'two']) await registerFlow(ctx, by, [{ step_id: 'a', agent_id: 'planner' }], id)
  const made: string[] = []
  const variants = [
    { workflow: 'one', members: {} },
    { workflow: 'two', members: { initiated_by: 'user:corp:7' } },
    { workflow: 'one', members: { status: 'closed', ended_at: ctx.now() } },
    { workflow: 'one', members: { status: 'revoked', ended_at: ctx.now() } },
    { workflow: 'two', members: { expires_at: new Date(ctx.now().getTime() + 1000) } },
  ] as const
  for (const { workflow, members } of variants) {
    made.push(await givenExecution(ctx, other.client_id, workflow, { opened_at: ctx.now(), ...members }))
    if (made.length !== 3) clock.advance(1)
  }
  const [first = '', second = '', third = '', fourth = '', fifth = ''] = made
  const ids = async (query: string) =>
    (await asAdmin(`?client_id=${other.client_id}${query}`)).body.items.map(
      (item: { execution_id: string }) => item.execution_id,
    )
  // Opened in one instant, so that only their ids tell them apart.
  const newest = [fifth, ...[third, fourth].sort().reverse(), second, first]
  assert.deepEqual(await ids(''), newest)
  assert.deepEqual(await ids('&workflow_id=two'), [fifth, second])
  assert.deepEqual(await ids('&initiated_by=user:corp:7'), [second])
  assert.deepEqual(await ids('&status=closed'), [third])
  assert.deepEqual(await ids('&status=revoked'), [fourth])
  assert.deepEqual(await ids('&status=open'), [second, first], 'what ran out is not open')
  assert.deepEqual(await ids('&status=expired'), [fifth])
  assert.deepEqual((await asAdmin(`/${fifth}`)).body.status, 'expired')
  const paged: string[] = []
  for (let cursor = '', pages = 0; pages < 5; pages += 1) {
    const { body } = await asAdmin(`?client_id=${other.client_id}&limit=2${cursor}`)
    paged.push(...body.items.map((item: { execution_id: string }) => item.execution_id))
    if (body.next_cursor === null) break
    cursor = `&cursor=${body.next_cursor}`
  }
  assert.deepEqual(paged, newest)
  const everyone = (await asAdmin('?initiated_by=user:corp:42')).body.items.map(
    (item: { client_id: string }) => item.client_id,
  )
  assert.ok(everyone.includes(client_id) && everyone.includes(other.client_id))
  const bare = await asAdmin('?workflow_id=two')
  assert.equal(bare.status, 400, 'a workflow_id alone names nothing, and no index finds it')
  assert.match(bare.body.detail, /workflow_id goes with the client_id of its client/)
  for (const wrong of ['?status=ended', '?client_id=a/b', '?agent_id=x', '?limit=0', '?cursor=x']) {
    assert.equal((await asAdmin(wrong)).status, 400, wrong)
  }
})

test('executions that ended are found by an index of their own, however many others there are (index execution_ended)', async () => {
  for (const status of ['closed', 'revoked'] as const) {
    const plan = await transaction(ctx, async tx => {
      await sql`set local enable_seqscan = off`.execute(tx.db)
      await sql`set local enable_sort = off`.execute(tx.db)
      const query = tx.db
        .selectFrom('execution')
        .select('execution_id')
        .where('status', '=', status)
        .orderBy('opened_at', 'desc')
        .orderBy('execution_id', 'desc')
        .limit(50)
      return JSON.stringify(await query.explain('json'))
    })
    assert.match(plan, /"Index Name":"execution_ended"/, status)
  }
})

test('of an execution with more than 1,000 tokens the newest 1,000 are shown', async () => {
  const execution_id = await givenExecution(ctx, client_id, workflow_id)
  const at = { client_id, workflow_id, execution_id }
  const first = await givenEntry(ctx, at, { step_id: 'scan', agent_id: 'planner' })
  const columns = await ctx.db.selectFrom('token').selectAll().where('jti', '=', first).executeTakeFirstOrThrow()
  const issued_at = new Date(ctx.now().getTime() + 1000)
  const more = Array.from({ length: 1_000 }, (_, at) => ({ ...columns, jti: `many-${at}`, issued_at }))
  await ctx.db.insertInto('token').values(more).execute()
  const { tokens } = (await asAdmin(`/${execution_id}`)).body
  assert.equal(tokens.length, 1_000)
  assert.ok(tokens.every((token: { jti: string }) => token.jti !== first))
})
