import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { transaction } from '../../src/server/context.ts'
import { openApproval } from '../../src/server/registry/open-approval.ts'
import { createWebhook } from '../../src/server/registry/webhooks.ts'
import { consumeApproval } from '../../src/server/store/approvals.ts'
import { startTestApp } from '../support/app.ts'
import { CRM, caller, givenResources, run } from './given.ts'
import { ask, askedFor, DIGEST, givenExecution, givenPayments, opened, TRANSFER } from './given-approval.ts'

const { ctx, clock } = await startTestApp()
await givenResources(ctx)
await givenPayments(ctx, 'shop')

function rowsOf(execution_id: string) {
  return ctx.db.selectFrom('approval').selectAll().where('execution_id', '=', execution_id).execute()
}

async function grant(approval_id: string): Promise<void> {
  await ctx.db.updateTable('approval').set({ status: 'granted' }).where('approval_id', '=', approval_id).execute()
}

test('a refused mint opens an approval of exactly what it asked for, its arguments sealed (section 6)', async () => {
  const execution_id = await givenExecution(ctx, 'shop')
  const approval_id = await opened(ctx, 'shop', execution_id)
  assert.match(approval_id, /^apr_[A-Za-z0-9_-]{22}$/)
  const [row, ...others] = await rowsOf(execution_id)
  const { arguments_sealed, ...shown } = row ?? { arguments_sealed: null }
  assert.deepEqual(
    [shown, others],
    [
      {
        ...{ approval_id, execution_id, client_id: 'shop', workflow_id: 'w', step_id: 'pay', agent_id: 'payer' },
        ...{ resource: CRM, scope: 'write', arguments_digest: DIGEST, status: 'pending', opened_at: clock.now() },
        ...{ decided_at: null, decided_by: null, decided_owner: null, decision_reason: null },
        ...{ entry: null, consumed_at: null },
      },
      [],
    ],
  )
  assert.ok(arguments_sealed && !arguments_sealed.includes('amount') && !arguments_sealed.includes('DE89'))
  const place = { table: 'approval', row: approval_id, column: 'arguments_sealed' }
  assert.equal(ctx.sealer.open(arguments_sealed, place).toString(), TRANSFER)
})

test('the same that waits, or is granted and not consumed, is named again; after that it is another (section 6)', async () => {
  const execution_id = await givenExecution(ctx, 'shop')
  const approval_id = await opened(ctx, 'shop', execution_id)
  assert.equal(await opened(ctx, 'shop', execution_id), approval_id)
  await grant(approval_id)
  assert.equal(await opened(ctx, 'shop', execution_id), approval_id)
  assert.ok(await consumeApproval(ctx, approval_id, 1, ctx.now()))
  const next = await opened(ctx, 'shop', execution_id)
  assert.notEqual(next, approval_id)
  assert.equal((await rowsOf(execution_id)).length, 2)
})

test('other arguments, none at all and another execution are asked for apart (section 6)', async () => {
  const execution_id = await givenExecution(ctx, 'shop')
  const ids = [
    await opened(ctx, 'shop', execution_id),
    await opened(ctx, 'shop', execution_id, '{"amount":1201,"to":"DE89"}'),
    await opened(ctx, 'shop', execution_id, null),
    await opened(ctx, 'shop', await givenExecution(ctx, 'shop')),
  ]
  assert.equal(new Set(ids).size, 4)
  assert.equal(await opened(ctx, 'shop', execution_id, null), ids[2])
  const none = (await rowsOf(execution_id)).find(row => row.approval_id === ids[2])
  assert.deepEqual([none?.arguments_digest, none?.arguments_sealed], [null, null])
})

test('at most 8 wait in one execution; deciding one makes room (section 6)', async () => {
  const execution_id = await givenExecution(ctx, 'shop')
  const ids: string[] = []
  for (let n = 0; n < 8; n += 1) ids.push(await opened(ctx, 'shop', execution_id, `{"n":${n}}`))
  const refused = await ask(ctx, 'shop', execution_id, '{"n":8}')
  assert.ok(refused instanceof OAuthError)
  const { ajwt_error, reason } = refused.details
  assert.deepEqual(
    [refused.code, ajwt_error, reason],
    ['workflow_step_unauthorized', 'limit_exceeded', 'max_open_approvals'],
  )
  assert.equal(await opened(ctx, 'shop', execution_id, '{"n":3}'), ids[3], 'one that waits is named all the same')
  assert.match(await opened(ctx, 'shop', await givenExecution(ctx, 'shop'), '{"n":8}'), /^apr_/)
  await grant(ids[0] ?? '')
  assert.match(await opened(ctx, 'shop', execution_id, '{"n":8}'), /^apr_/)
})

test('mints that ask at the same time open one approval, and no ninth (section 6)', async () => {
  const execution_id = await givenExecution(ctx, 'shop')
  const same = await Promise.all(Array.from({ length: 8 }, () => opened(ctx, 'shop', execution_id)))
  assert.equal(new Set(same).size, 1)
  const asked = await Promise.all(Array.from({ length: 12 }, (_, n) => ask(ctx, 'shop', execution_id, `{"n":${n}}`)))
  assert.equal(asked.filter(answer => answer instanceof OAuthError).length, 5)
  assert.equal((await rowsOf(execution_id)).length, 8)
})

test('at most 64 of one client wait in all its executions; what is over or decided makes room (ADR 19)', async () => {
  for (const client_id of ['flood', 'calm']) await givenPayments(ctx, client_id)
  const fill = async (over: object) => {
    const execution_id = await givenExecution(ctx, 'flood', over)
    for (let n = 0; n < 8; n += 1) await opened(ctx, 'flood', execution_id, `{"n":${n}}`)
    return execution_id
  }
  const [short, long] = [await fill({ expires_in: 60 }), await fill({ expires_in: 3_600 })]
  for (let n = 2; n < 8; n += 1) await fill({ expires_in: 3_600 })
  const more = await givenExecution(ctx, 'flood')
  const refused = await ask(ctx, 'flood', more)
  assert.ok(refused instanceof OAuthError)
  const { ajwt_error, reason } = refused.details
  assert.deepEqual(
    [refused.code, ajwt_error, reason],
    ['workflow_step_unauthorized', 'limit_exceeded', 'max_open_approvals_of_client'],
  )
  assert.match(await opened(ctx, 'flood', short, '{"n":3}'), /^apr_/, 'one that waits is named all the same')
  assert.match(await opened(ctx, 'calm', await givenExecution(ctx, 'calm')), /^apr_/)
  clock.advance(61)
  const again = await givenExecution(ctx, 'flood')
  for (let n = 0; n < 8; n += 1) await opened(ctx, 'flood', again, `{"n":${n}}`)
  assert.ok((await ask(ctx, 'flood', more)) instanceof OAuthError)
  await ctx.db.updateTable('execution').set({ status: 'closed' }).where('execution_id', '=', long).execute()
  assert.match(await opened(ctx, 'flood', await givenExecution(ctx, 'flood')), /^apr_/)
})

test('every webhook is told in the same write, of ids and the digest alone', async () => {
  const make = (url: string) => run(ctx, tx => createWebhook(tx, caller(), { url }))
  const [one, two] = [await make('https://one.example/hook'), await make('https://two.example/hook')]
  const execution_id = await givenExecution(ctx, 'shop', { expires_in: 600 })
  const undone = transaction(ctx, async tx => {
    await openApproval(tx, askedFor(ctx, 'shop', execution_id))
    throw new Error('undone')
  })
  await assert.rejects(undone, /undone/)
  const told = () => ctx.db.selectFrom('webhook_delivery').selectAll().orderBy('webhook_id').execute()
  assert.deepEqual(await told(), [])
  const approval_id = await opened(ctx, 'shop', execution_id)
  await opened(ctx, 'shop', execution_id)
  const rows = await told()
  assert.deepEqual(
    rows.map(row => row.webhook_id),
    [one.webhook_id, two.webhook_id].sort(),
  )
  for (const { delivery_id, payload, event_type, attempts, next_attempt_at } of rows) {
    assert.match(delivery_id, /^msg_[A-Za-z0-9_-]{22}$/)
    assert.deepEqual([event_type, attempts, next_attempt_at], ['approval.opened', 0, clock.now()])
    assert.deepEqual(JSON.parse(payload), {
      type: 'approval.opened',
      timestamp: clock.now().toISOString(),
      data: {
        ...{ approval_id, execution_id, client_id: 'shop', workflow_id: 'w', workflow_step: 'pay', agent_id: 'payer' },
        ...{ arguments_digest: DIGEST, status: 'pending' },
        expires_at: new Date(clock.now().getTime() + 600_000).toISOString(),
      },
    })
  }
})
