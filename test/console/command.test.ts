import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { exportJWK } from 'jose'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { remit, remitJson, workingDirectory } from '../cli/remit.ts'
import { startTestApp } from '../support/app.ts'
import { givenAdmin } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { signIn } from './given.ts'

const app = await startTestApp()
const cwd = await workingDirectory()

/** The command line as a new client of this access. @returns the arguments that name its profile */
async function asClient(scope: string | undefined): Promise<readonly string[]> {
  const access = scope === undefined ? [] : [{ resource: `${app.issuer}/admin`, scope }]
  const { client_id, key } = await givenAdmin(app, { access })
  const private_jwk = { ...(await exportJWK(key.privateKey)), alg: 'ES256' }
  const profile = { issuer: app.issuer, admin_url: app.adminUrl, client_id, private_jwk }
  const file = join(cwd, `${client_id}.json`)
  await writeFile(file, JSON.stringify(profile), { mode: 0o600 })
  // The command has the real clock.
  app.clock.advance(Math.floor(Date.now() / 1000) - app.clock.seconds())
  return ['--profile', file]
}

test('remit console prints a link that opens a session with every scope of its client', async () => {
  for (const scope of [ADMIN_SCOPES.join(' '), 'approve:agents audit:read']) {
    const { code, value, stderr } = await remitJson(cwd, ['console', ...(await asClient(scope))])
    assert.equal(code, 0, stderr)
    assert.deepEqual(Object.keys(value), ['url', 'expires_at'])
    assert.match(stderr, /works once, within a minute, and the session lasts 15 minutes/)
    const session = await signIn(app, String(value.url).split('#code=')[1] ?? '')
    assert.deepEqual((await jsonOf(session)).scope, scope.split(' '))
  }
})

test('without --json the link alone is on standard output', async () => {
  const { code, stdout } = await remit(cwd, ['console', ...(await asClient('audit:read'))])
  assert.equal(code, 0)
  assert.match(stdout, /^http:\/\/127\.0\.0\.1:\d+\/console\/#code=[A-Za-z0-9_-]{43}\n$/)
})

test('a client without any admin scope is told so', async () => {
  const { code, value } = await remitJson(cwd, ['console', ...(await asClient(undefined))])
  assert.deepEqual([code, value.error], [1, 'invalid_scope'])
  assert.match(value.message, /has no scope of the admin API/)
  assert.match(value.next, /profile of an administrator/)
})
