import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { startMaintenance } from '../src/server/maintenance.ts'
import { purgeDelegations } from '../src/server/store/delegations.ts'
import { purgeExecutions } from '../src/server/store/execution-purge.ts'
import { insertRevocations, purgeRevocations } from '../src/server/store/revocations.ts'
import { insertToken, purgeTokens } from '../src/server/store/tokens.ts'
import { agentBody, givenClient, givenResources, register, registerFlow } from './registry/given.ts'
import { givenApproval, givenEntry, givenExecution } from './registry/given-execution.ts'
import { startTestApp } from './support/app.ts'
import { givenDelegated } from './support/delegated.ts'

test('refusals that nobody was authenticated for are counted, and written at the latest on a stop (protocol.md section 3)', async () => {
  const app = await startTestApp()
  const maintenance = startMaintenance(app.ctx)
  for (let round = 0; round < 3; round += 1) await fetch(`${app.adminUrl}/admin/v1/clients`)
  await maintenance.stop()
  const row = await app.ctx.db
    .selectFrom('audit_event')
    .select(['outcome', 'actor', 'details'])
    .where('actor', '=', 'unauthenticated')
    .executeTakeFirstOrThrow()
  assert.equal(row.outcome, 'refused')
  assert.ok(JSON.stringify(row.details).includes('3'), JSON.stringify(row.details))
  assert.ok(JSON.stringify(row.details).includes('token_missing'))
})

test('maintenance outlives the database: a failed turn is logged and nothing is thrown (reliability.md)', async () => {
  const app = await startTestApp()
  await app.database.drop()
  const maintenance = startMaintenance(app.ctx)
  app.ctx.unauthenticated.count({ endpoint: 'token', reason: 'x', address: '127.0.0.1' })
  await assert.rejects(maintenance.stop())
})

test('records of tokens stay 48 h, revocations 24 h after they ended; then they are removed (protocol.md section 9)', async () => {
  const { ctx, clock } = await startTestApp()
  const expires_at = new Date(ctx.now().getTime() + 300_000)
  await insertToken(ctx, {
    ...{ jti: 'old', client_id: 'app', sub: 'app', resource: 'https://api.example.com', scope: 'read' },
    ...{ token_profile: 'interop', token_type: 'Bearer', kid: 'k', jkt: null, agent_id: null, registration_id: null },
    ...{ workflow_id: null, workflow_version: null, workflow_step: null, workflow_state: 'none' },
    ...{ execution_id: null, parent_jti: null, initiated_by: null, issued_at: ctx.now(), expires_at },
  })
  const act = { reason: 'test', revoked_by: 'test', now: ctx.now() }
  await insertRevocations(ctx, [{ kind: 'token', id: 'old' }], act)
  const kept = async () => {
    await purgeTokens(ctx)
    await purgeRevocations(ctx)
    const tokens = await ctx.db.selectFrom('token').select('jti').execute()
    const revocations = await ctx.db.selectFrom('revocation').select('id').execute()
    return { tokens: tokens.length, revocations: revocations.length }
  }
  // Entries end 960 s after the act (section 9).
  clock.advance(86_400 + 960)
  assert.deepEqual(await kept(), { tokens: 1, revocations: 1 })
  clock.advance(1)
  assert.deepEqual(await kept(), { tokens: 1, revocations: 0 })
  clock.advance(2 * 86_400 + 300 - (86_400 + 961))
  assert.deepEqual(await kept(), { tokens: 1, revocations: 0 })
  clock.advance(1)
  assert.deepEqual(await kept(), { tokens: 0, revocations: 0 })
})

test('an execution goes two days after it ended, with steps and approvals; what is younger stays (protocol.md section 6)', async () => {
  const { ctx, clock } = await startTestApp()
  await givenResources(ctx)
  const app = await givenClient(ctx, 'app')
  await register(ctx, app, agentBody('app'))
  await registerFlow(ctx, app, [{ step_id: 'plan', agent_id: 'planner' }])
  const name = { client_id: 'app', workflow_id: 'w' }
  const at = { step_id: 'plan', agent_id: 'planner' }
  const old = await givenExecution(ctx, 'app', 'w')
  const jti = await givenEntry(ctx, { ...name, execution_id: old }, at)
  await givenApproval(ctx, { ...name, execution_id: old }, at)
  // The lower one ends with the one above, which it names.
  await givenDelegated(ctx, await givenDelegated(ctx, jti))
  const young = await givenExecution(ctx, 'app', 'w', { expires_at: new Date(ctx.now().getTime() + 3_601_000) })
  const left = async () => {
    await purgeDelegations(ctx)
    await purgeExecutions(ctx)
    const rows = await ctx.db.selectFrom('execution').select('execution_id').orderBy('expires_at').execute()
    const counts = ['execution_step', 'approval', 'delegation'] as const
    const others = await Promise.all(
      counts.map(table => sql<{ n: number }>`select count(*)::int as n from ${sql.table(table)}`.execute(ctx.db)),
    )
    return [rows.map(row => row.execution_id), ...others.map(({ rows }) => rows[0]?.n)]
  }
  clock.advance(3_600 + 2 * 86_400)
  assert.deepEqual(await left(), [[old, young], 1, 1, 2])
  clock.advance(1)
  assert.deepEqual(await left(), [[young], 0, 0, 0])
})
