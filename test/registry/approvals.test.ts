import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { approvalDecisionSchema, approvalFilterSchema, approvalSchema } from '../../src/protocol/approval.ts'
import { sha256, sha256Base64url } from '../../src/protocol/digest.ts'
import { executionOpenSchema } from '../../src/protocol/execution.ts'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import type { Caller } from '../../src/server/caller.ts'
import { act } from '../../src/server/registry/act.ts'
import { decideApproval } from '../../src/server/registry/approval-decision.ts'
import { approvalEvent, getApproval, getApprovals } from '../../src/server/registry/approvals.ts'
import { openExecution } from '../../src/server/registry/executions.ts'
import { isOnlyAdministrator } from '../../src/server/registry/only-administrator.ts'
import { createWebhook } from '../../src/server/registry/webhooks.ts'
import { consumeApproval } from '../../src/server/store/approvals.ts'
import { findExecutionSteps } from '../../src/server/store/executions.ts'
import { startTestApp } from '../support/app.ts'
import { agentBody, CRM, caller, givenClient, givenResources, refused, register, run } from './given.ts'
import {
  ask,
  DIGEST,
  givenExecution,
  givenIssuer,
  givenOperator,
  givenPayments,
  opened,
  PEOPLE,
  person,
  TRANSFER,
} from './given-approval.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)
await givenPayments(ctx, 'shop')
await givenIssuer(ctx, 'corp', 'user')
await givenIssuer(ctx, 'corp-staff', 'operator')
await givenIssuer(ctx, 'corp-ci', 'workload')
const EVE = await givenOperator(ctx, 'eve', 'user:local:eve')

type Decision = { decision?: 'grant' | 'deny'; digest?: string | null }

function decide(by: Caller, approval_id: string, { decision = 'grant', digest = DIGEST }: Decision = {}) {
  const body = approvalDecisionSchema.parse({ decision, arguments_digest: digest, reason: 'as agreed' })
  return run(ctx, tx => decideApproval(tx, by, approval_id, body))
}

async function recorded(execution_id: string) {
  return (await findExecutionSteps(ctx, execution_id)).map(({ step_id, state }) => `${step_id} ${state}`)
}

/** An approval in an execution of its own. */
async function asked(over: Parameters<typeof givenExecution>[2] = {}, text: string | null = TRANSFER) {
  const execution_id = await givenExecution(ctx, 'shop', over)
  return { execution_id, approval_id: await opened(ctx, 'shop', execution_id, text) }
}

async function statusOf(approval_id: string): Promise<string> {
  return (await getApproval(ctx, approval_id)).body.status
}

function list(query: object = {}, page: { limit: number; cursor?: string } = { limit: 50 }) {
  return getApprovals(ctx, { ...approvalFilterSchema.parse(query), ...page })
}

const FORBIDDEN = { code: 'forbidden', reason: 'own_step' }

test('granted by somebody else, the gates that it guards are in the record, and who and why is kept (section 6)', async () => {
  const { execution_id, approval_id } = await asked()
  const view = await decide(EVE, approval_id)
  const { opened_at, expires_at, ...rest } = view
  assert.deepEqual(rest, {
    ...{ approval_id, execution_id, client_id: 'shop', workflow_id: 'w', workflow_step: 'pay', agent_id: 'payer' },
    ...{ initiated_by: 'user:corp:42', resource: CRM, scope: 'write', arguments_digest: DIGEST, status: 'granted' },
    ...{ decided_at: clock.now().toISOString(), decided_by: 'eve', decision_reason: 'as agreed', consumed_at: null },
  })
  assert.equal(Date.parse(expires_at) - Date.parse(opened_at), 3_600_000)
  assert.deepEqual(await recorded(execution_id), ['gate granted'])
  const row = await ctx.db
    .selectFrom('approval')
    .select(['decided_owner', 'entry'])
    .where('approval_id', '=', approval_id)
    .executeTakeFirst()
  assert.deepEqual(row, { decided_owner: 'user:local:eve', entry: null })
})

test('denied, no gate is granted and nothing can be entered with it (section 6)', async () => {
  const { execution_id, approval_id } = await asked()
  assert.equal((await decide(EVE, approval_id, { decision: 'deny' })).status, 'denied')
  assert.deepEqual(await recorded(execution_id), [])
  assert.equal(await consumeApproval(ctx, approval_id, 1, ctx.now()), false)
})

test('a person decides by a token of an issuer of operators (section 6)', async () => {
  const { approval_id } = await asked()
  const view = await decide(person('user:corp-staff:7'), approval_id)
  assert.deepEqual([view.status, view.decided_by], ['granted', 'user:corp-staff:7'])
})

test('the audit row names execution, client, agent and digest, and never the arguments', async () => {
  const { execution_id, approval_id } = await asked()
  const event = { action: 'approval.grant', ...(await approvalEvent(ctx, approval_id)) } as const
  const body = approvalDecisionSchema.parse({ decision: 'grant', arguments_digest: DIGEST, reason: 'as agreed' })
  const request = { endpoint: 'POST /a', body, answer: approvalSchema }
  const wanda = { ...EVE, acting_owner: PEOPLE['who registered the workflow'] }
  await refused(act(ctx, wanda, event, request, tx => decideApproval(tx, wanda, approval_id, body)))
  await act(ctx, EVE, event, request, tx => decideApproval(tx, EVE, approval_id, body))
  const rows = await ctx.db
    .selectFrom('audit_event')
    .select(['action', 'outcome', 'reason', 'client_id', 'agent_id', 'execution_id', 'details'])
    .where('execution_id', '=', execution_id)
    .orderBy('outcome', 'desc')
    .execute()
  const common = { action: 'approval.grant', client_id: 'shop', agent_id: 'payer', execution_id }
  const by = { caller: 'eve', approval_id }
  assert.deepEqual(rows, [
    {
      ...{ ...common, outcome: 'success', reason: null },
      details: {
        ...{ ...by, acting_owner: 'user:local:eve', workflow_step: 'pay', arguments_digest: DIGEST },
        ...{ gates: ['gate'], reason: 'as agreed' },
      },
    },
    { ...common, outcome: 'refused', reason: 'own_step', details: { ...by, acting_owner: wanda.acting_owner } },
  ])
})

for (const [who, name] of Object.entries(PEOPLE)) {
  test(`[attack 79] ${who} neither grants nor denies, by whatever client (section 6)`, async () => {
    const { execution_id, approval_id } = await asked()
    const own = await givenOperator(ctx, `operator-${name.replaceAll(':', '-')}`, name)
    for (const decision of ['grant', 'deny'] as const) {
      assert.deepEqual(await refused(decide(own, approval_id, { decision })), FORBIDDEN)
      const inConsole = { ...own, via: 'console' } as const
      assert.deepEqual(await refused(decide(inConsole, approval_id, { decision })), FORBIDDEN)
    }
    assert.deepEqual([await statusOf(approval_id), await recorded(execution_id)], ['pending', []])
    assert.ok((await getApproval(ctx, approval_id)).body.excluded_owners.includes(name))
  })
}

test('[attack 79] the initiator is the same person under another record of the same issuer (section 6)', async () => {
  const { approval_id } = await asked({ initiated_by: 'user:corp:42' })
  assert.deepEqual(await refused(decide(person('user:corp-staff:42'), approval_id)), FORBIDDEN)
  const operator = await givenOperator(ctx, 'operator-of-42', 'user:corp-staff:42')
  assert.deepEqual(await refused(decide(operator, approval_id)), FORBIDDEN)
  assert.equal((await decide(person('user:corp-staff:43'), approval_id)).status, 'granted')
})

test('[attack 79] an execution that an agent or a client began has its owner behind it', async () => {
  await givenClient(ctx, 'bob-app', { owner: 'user:local:bob' })
  const bob = await givenOperator(ctx, 'bob', 'user:local:bob')
  for (const initiated_by of ['agent:bob-app:planner', 'bob-app']) {
    const { approval_id } = await asked({ initiated_by })
    assert.deepEqual(await refused(decide(bob, approval_id)), FORBIDDEN)
  }
})

test('[attack 79] who opened an execution does not decide in it, though another began it or nobody did (section 6)', async () => {
  await givenIssuer(ctx, 'staff', 'operator')
  const eve = caller({ client_id: 'shop', sub: 'user:staff:eve', acting_owner: 'user:staff:eve' })
  const body = executionOpenSchema.parse({ workflow_id: 'w' })
  const { version } = await sql<{
    version: string
  }>`select xmin::text as version from trusted_issuer where name = 'staff'`
    .execute(ctx.db)
    .then(({ rows }) => ({ version: rows[0]?.version ?? null }))
  const record = { kind: 'trusted_issuer', id: 'staff', version } as const
  const initiator = { sub: PEOPLE['the initiator'], access: null, digest: sha256('a token'), record }
  for (const by of [initiator, undefined]) {
    const { execution_id } = await run(ctx, tx => openExecution(tx, eve, body, by))
    const approval_id = await opened(ctx, 'shop', execution_id)
    for (const decision of ['grant', 'deny'] as const) {
      assert.deepEqual(await refused(decide(person('user:staff:eve'), approval_id, { decision })), FORBIDDEN)
    }
    const itsOperator = { ...EVE, acting_owner: 'user:corp-staff:eve' }
    assert.deepEqual(await refused(decide(itsOperator, approval_id)), FORBIDDEN, 'by another record of her issuer')
    assert.deepEqual([await statusOf(approval_id), await recorded(execution_id)], ['pending', []])
    assert.ok((await getApproval(ctx, approval_id)).body.excluded_owners.includes('user:staff:eve'))
    assert.equal((await decide(person('user:staff:zoe'), approval_id)).status, 'granted')
  }
})

test('[attack 79] who registered a version that still drains does not decide', async () => {
  await givenPayments(ctx, 'draining')
  const zoe = await givenClient(ctx, 'zoe-ci', { owner: 'user:local:zoe', registers_for: ['draining'] })
  const { db } = ctx
  const old = { registered_owner: 'user:local:old' }
  await db.updateTable('registration').set(old).where('client_id', '=', 'draining').execute()
  const policies = JSON.stringify({ max_drain_seconds: 600 })
  await db.updateTable('client').set({ policies }).where('client_id', '=', 'draining').execute()
  await register(ctx, zoe, agentBody('draining', { id: 'payer', prompt: 'Pay more.', drain_seconds: 60 }))
  const approval_id = await opened(ctx, 'draining', await givenExecution(ctx, 'draining'))
  for (const owner of ['user:local:zoe', 'user:local:old']) {
    assert.deepEqual(await refused(decide({ ...EVE, acting_owner: owner }, approval_id)), FORBIDDEN)
  }
  clock.advance(61)
  // It counted while the execution was open already; in one that begins now it has no part.
  assert.deepEqual(await refused(decide({ ...EVE, acting_owner: 'user:local:old' }, approval_id)), FORBIDDEN)
  const later = await opened(ctx, 'draining', await givenExecution(ctx, 'draining'))
  assert.equal((await decide({ ...EVE, acting_owner: 'user:local:old' }, later)).status, 'granted')
})

test('[attack 79] neither an app, a service nor a workload decides, whatever scope its token has', async () => {
  const { approval_id } = await asked()
  const forbidden = { code: 'forbidden', reason: 'approver_not_operator' }
  for (const kind of ['app', 'service'] as const) {
    const client = await givenClient(ctx, `a-${kind}`, { kind, owner: 'user:local:ida' })
    assert.deepEqual(await refused(decide(client, approval_id)), forbidden)
  }
  const users = ['user:corp-ci:job', 'user:corp:7', 'user:nowhere:7', 'user:local:7']
  for (const sub of users) assert.deepEqual(await refused(decide(person(sub), approval_id)), forbidden)
  const ofEve = { ...EVE, sub: 'user:corp-ci:job', acting_owner: 'user:corp-ci:job' }
  assert.deepEqual(await refused(decide(ofEve, approval_id)), forbidden)
  assert.equal(await statusOf(approval_id), 'pending')
})

test('[attack 79] a late approval is none: the execution expired, was closed or was revoked (section 6)', async () => {
  const expiring = await asked({ expires_in: 60 })
  const ended = await Promise.all(
    (['closed', 'revoked'] as const).map(async status => {
      const of = await asked()
      await ctx.db.updateTable('execution').set({ status }).where('execution_id', '=', of.execution_id).execute()
      return of
    }),
  )
  clock.advance(60)
  for (const { execution_id, approval_id } of [expiring, ...ended]) {
    for (const decision of ['grant', 'deny'] as const) {
      const late = await refused(decide(EVE, approval_id, { decision }))
      assert.deepEqual(late, { code: 'conflict', reason: 'execution_over' })
    }
    assert.deepEqual([await statusOf(approval_id), await recorded(execution_id)], ['expired', []])
    const { items } = await list({ execution_id })
    assert.deepEqual(items, [], 'it does not wait any more')
    assert.equal((await list({ execution_id, status: 'all' })).items[0]?.status, 'expired')
  }
})

test('[attack 79] an approval of one execution is none in another, and of one step none of another (section 6)', async () => {
  const first = await asked()
  const second = await asked()
  await decide(EVE, first.approval_id)
  assert.equal(await statusOf(second.approval_id), 'pending')
  assert.deepEqual([await recorded(first.execution_id), await recorded(second.execution_id)], [['gate granted'], []])
  const granted = ctx.db.selectFrom('approval').select(['approval_id', 'step_id']).where('status', '=', 'granted')
  const known = await granted.where('execution_id', 'in', [first.execution_id, second.execution_id]).execute()
  assert.deepEqual(known, [{ approval_id: first.approval_id, step_id: 'pay' }])
})

test('[attack 79] of two decisions at the same time one is taken, and the other hears of it', async () => {
  const ada = await givenOperator(ctx, 'ada', 'user:local:ada')
  for (let round = 0; round < 25; round += 1) {
    const { execution_id, approval_id } = await asked()
    const outcomes = await Promise.allSettled([
      decide(EVE, approval_id),
      decide(ada, approval_id, { decision: 'deny' }),
    ])
    const [won, ...others] = outcomes.filter(outcome => outcome.status === 'fulfilled')
    const [lost] = outcomes.filter(outcome => outcome.status === 'rejected')
    assert.deepEqual([others, lost?.reason.reason], [[], 'approval_decided'])
    assert.equal(await statusOf(approval_id), won?.value.status)
    assert.deepEqual(await recorded(execution_id), won?.value.status === 'granted' ? ['gate granted'] : [])
  }
})

test('what was decided stays decided (section 6)', async () => {
  for (const first of ['grant', 'deny'] as const) {
    const { approval_id } = await asked()
    await decide(EVE, approval_id, { decision: first })
    for (const decision of ['grant', 'deny'] as const) {
      const again = await refused(decide(EVE, approval_id, { decision }))
      assert.deepEqual(again, { code: 'conflict', reason: 'approval_decided' })
    }
  }
})

test('a decision names the digest of what was read: another, none for some and one for none are refused', async () => {
  const withArguments = (await asked()).approval_id
  const without = (await asked({}, null)).approval_id
  const other = sha256Base64url('{"amount":1}')
  for (const [id, digest] of [
    [withArguments, other],
    [withArguments, null],
    [without, DIGEST],
    [without, sha256Base64url('{}')],
  ] as const) {
    assert.deepEqual(await refused(decide(EVE, id, { digest })), { code: 'conflict', reason: 'digest_mismatch' })
    assert.equal(await statusOf(id), 'pending')
  }
  assert.equal((await decide(EVE, without, { digest: null })).arguments_digest, null)
})

test('an unknown approval is not found', async () => {
  const unknown = `apr_${'A'.repeat(22)}`
  assert.equal((await refused(decide(EVE, unknown))).code, 'not_found')
  assert.equal((await refused(getApproval(ctx, unknown))).code, 'not_found')
  assert.deepEqual(await approvalEvent(ctx, unknown), { details: { approval_id: unknown } })
})

test('the detail has the exact arguments, says what the step does and marks what hides (section 4)', async () => {
  const { approval_id } = await asked()
  const { body } = await getApproval(ctx, approval_id)
  const { arguments: text, hidden_characters, action, excluded_owners } = body
  assert.deepEqual([text, hidden_characters, action], [TRANSFER, false, 'Transfers money.'])
  assert.deepEqual([...excluded_owners].sort(), Object.values(PEOPLE).sort())
  for (const hidden of ['{"to":"DE\u200b89"}', '{"t\u202eo":"DE89"}', '{"to":["p\u0430y"]}']) {
    const detail = (await getApproval(ctx, (await asked({}, hidden)).approval_id)).body
    assert.deepEqual([detail.arguments, detail.hidden_characters], [hidden, true])
  }
  const none = (await getApproval(ctx, (await asked({}, null)).approval_id)).body
  assert.deepEqual([none.arguments, none.arguments_digest, none.hidden_characters], [null, null, false])
})

test('sealed arguments that were changed or moved to another approval are not shown', async () => {
  const [one, two] = [await asked(), await asked()]
  const sealed = ctx.db.selectFrom('approval').select('arguments_sealed').where('approval_id', '=', one.approval_id)
  await ctx.db
    .updateTable('approval')
    .set({ arguments_sealed: sealed })
    .where('approval_id', '=', two.approval_id)
    .execute()
  await assert.rejects(getApproval(ctx, two.approval_id), /does not open/)
})

test('the list is what waits, by status and execution, in pages that follow each other (section 11)', async () => {
  await ctx.db.deleteFrom('execution').execute()
  const execution_id = await givenExecution(ctx, 'shop')
  const ids: string[] = []
  for (let n = 0; n < 5; n += 1) {
    // Two at a time, so that the id decides too.
    if (n % 2 === 0) clock.advance(1)
    ids.push(await opened(ctx, 'shop', execution_id, `{"n":${n}}`))
  }
  const order = ids.map((id, n) => `${Math.floor(n / 2)} ${id}`).sort()
  const newestFirst = order.reverse().map(place => place.split(' ')[1])
  const seen: string[] = []
  for (let cursor: string | null = null, page = 0; page === 0 || cursor !== null; page += 1) {
    const { items, next_cursor } = await list({}, { limit: 2, ...(cursor !== null && { cursor }) })
    seen.push(...items.map(item => item.approval_id))
    cursor = next_cursor
  }
  assert.deepEqual(seen, newestFirst)
  const other = await asked()
  await decide(EVE, other.approval_id)
  await decide(EVE, ids[0] ?? '', { decision: 'deny', digest: sha256Base64url('{"n":0}') })
  const count = async (query: object) => (await list(query)).items.length
  const all = { status: 'all' }
  assert.deepEqual(
    [
      ...[await count({}), await count({ status: 'granted' }), await count({ status: 'denied' }), await count(all)],
      ...[await count({ execution_id }), await count({ ...all, execution_id: other.execution_id })],
    ],
    [4, 1, 1, 6, 4, 1],
  )
  const { next_cursor } = await list({}, { limit: 1 })
  await refused(getApprovals(ctx, { status: 'all', limit: 1, cursor: `${next_cursor}x` }))
})

test('a decision is told to every webhook in the same write, without its reason', async () => {
  await run(ctx, tx => createWebhook(tx, caller(), { url: 'https://one.example/hook' }))
  const { execution_id, approval_id } = await asked()
  await refused(decide({ ...EVE, acting_owner: 'user:local:anna' }, approval_id))
  await decide(EVE, approval_id)
  const rows = await ctx.db.selectFrom('webhook_delivery').select('payload').orderBy('event_type').execute()
  const told = rows.map(({ payload }) => JSON.parse(payload))
  assert.deepEqual(
    told.map(({ type, data }) => [type, data.execution_id, data.status]),
    [
      ['approval.decided', execution_id, 'granted'],
      ['approval.opened', execution_id, 'pending'],
    ],
  )
  for (const { payload } of rows) assert.doesNotMatch(payload, /agreed|amount|DE89/)
})

test('[attack 79] there is no exception for the only administrator (section 6)', async () => {
  const alone = await startTestApp()
  await givenResources(alone.ctx)
  await givenPayments(alone.ctx, 'shop')
  const anna = await givenClient(alone.ctx, 'only', {
    kind: 'operator',
    access: [{ resource: alone.ctx.config.adminAudience, scope: ADMIN_SCOPES.join(' ') }],
  })
  assert.ok(await isOnlyAdministrator(alone.ctx))
  const execution_id = await givenExecution(alone.ctx, 'shop')
  const answer = await ask(alone.ctx, 'shop', execution_id)
  assert.ok('approval_id' in answer)
  const body = approvalDecisionSchema.parse({ decision: 'grant', arguments_digest: DIGEST, reason: 'mine' })
  const decided = run(alone.ctx, tx => decideApproval(tx, anna, answer.approval_id, body))
  assert.deepEqual(await refused(decided), FORBIDDEN)
})
