import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { startMaintenance } from '../src/server/maintenance.ts'
import { purgeDelegations } from '../src/server/store/delegations.ts'
import { purgeExecutions } from '../src/server/store/execution-purge.ts'
import { addPartition, dropPartition, keepPartitions, listPartitions } from '../src/server/store/partitions.ts'
import { insertRevocations, purgeRevocations } from '../src/server/store/revocations.ts'
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

test('entries of revocations stay 24 h after they ended; then they are removed (protocol.md section 9)', async () => {
  const { ctx, clock } = await startTestApp()
  await insertRevocations(ctx, [{ kind: 'token', id: 'old' }], { reason: 'test', revoked_by: 'test', now: ctx.now() })
  const kept = async () => {
    await purgeRevocations(ctx)
    return (await ctx.db.selectFrom('revocation').select('id').execute()).length
  }
  // Entries end 960 s after the act (section 9).
  clock.advance(86_400 + 960)
  assert.equal(await kept(), 1)
  clock.advance(1)
  assert.equal(await kept(), 0)
})

test('a node makes partitions ahead and drops what has passed, and says which it dropped (issue 6 item 3)', async () => {
  const { ctx, log } = await startTestApp()
  for (const partition of await listPartitions(ctx.db)) await dropPartition(ctx.db, partition)
  const old = { table: 'replay', from: 600, to: 1_200 } as const
  await addPartition(ctx.db, old)
  await keepPartitions({ ...ctx, now: () => new Date() })
  const made = await listPartitions(ctx.db)
  assert.deepEqual([...new Set(made.map(({ table }) => table))].sort(), ['audit_event', 'replay', 'token'])
  assert.equal(made.filter(({ from }) => from === old.from).length, 0)
  assert.equal(log.filter(line => line.includes('replay_600_1200')).length, 1)
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
