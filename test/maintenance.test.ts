import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startMaintenance } from '../src/server/maintenance.ts'
import { startTestApp } from './support/app.ts'

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
