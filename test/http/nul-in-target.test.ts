import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { adminCalls } from '../registry/admin-call.ts'
import { startTestApp } from '../support/app.ts'
import { givenAdmin } from '../support/given.ts'

const app = await startTestApp()
const admin = await givenAdmin(app)
const call = adminCalls(app, admin, ADMIN_SCOPES.join(' '))

const TARGETS = [
  'GET /executions?initiated_by=%00',
  'GET /approvals?execution_id=%00',
  ...['actor', 'reason', 'action', 'jti', 'execution_id'].map(name => `GET /audit?${name}=a%00`),
  'DELETE /trusted-issuers/corp?reason=%00',
  'DELETE /clients/app?reason=a%00b',
]

test('U+0000 in a query is 400, because Postgres cannot keep it: never 500 (protocol.md section 10)', async () => {
  for (const target of TARGETS) {
    const [method = '', path = ''] = target.split(' ')
    assert.equal((await call(method, path)).status, 400, target)
  }
  assert.equal((await call('GET', '/audit?actor=%2500')).status, 200, 'a percent sign is none')
})

test('the audit trail is asked by the longest subject name (protocol.md section 1)', async () => {
  const actor = `user:${'i'.repeat(64)}:${'s'.repeat(255)}`
  assert.equal((await call('GET', `/audit?actor=${actor}`)).status, 200)
  assert.equal((await call('GET', `/audit?actor=${'x'.repeat(337)}`)).status, 400)
})
