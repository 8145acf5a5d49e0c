import assert from 'node:assert/strict'
import { test } from 'node:test'
import { caller } from '../audit/given.ts'
import { startTestApp } from '../support/app.ts'
import { givenClient, givenResource } from '../support/given.ts'

const app = await startTestApp()

async function givenReporter(resource: string) {
  const client = await givenClient(app, {
    kind: 'service',
    access: [{ resource: app.issuer, scope: 'report:refusals' }],
  })
  await givenResource(app, { resource, scopes: [{ name: 'read' }], client_id: client.client_id })
  return caller(app, client, 'issuer', 'report:refusals')
}

test('[attack 110] one client fills the trail with 60 reports a minute and no more; another is heard meanwhile', async () => {
  const [loud, quiet] = [await givenReporter('https://loud.example'), await givenReporter('https://quiet.example')]
  const report = { counts: [{ reason: 'proof_missing', n: 1_000_000 }] }
  for (let sent = 0; sent < 60; sent += 1) assert.equal((await loud('POST', '/intent/refusals', report)).status, 200)
  const held = await loud('POST', '/intent/refusals', report)
  assert.deepEqual([held.status, held.body.error], [429, 'temporarily_unavailable'])
  assert.equal((await quiet('POST', '/intent/refusals', report)).status, 200)
  const rows = await app.ctx.db
    .selectFrom('audit_event')
    .select(({ fn }) => fn.countAll<string>().as('n'))
    .where('action', '=', 'refusal.report')
    .where('outcome', '=', 'success')
    .executeTakeFirstOrThrow()
  assert.equal(Number(rows.n), 61)
})
