import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { exportJWK } from 'jose'
import { startTestApp } from '../support/app.ts'
import { givenAdmin } from '../support/given.ts'
import { remit, remitJson, workingDirectory } from './remit.ts'

const app = await startTestApp()
const cwd = await workingDirectory()
const admin = await givenAdmin(app)
const profile = join(cwd, 'profile.json')
const private_jwk = await exportJWK(admin.key.privateKey)
const { issuer, adminUrl: admin_url } = app
await writeFile(profile, JSON.stringify({ issuer, admin_url, client_id: admin.client_id, private_jwk }))

/** The commands live in real time, the test clock does not. */
async function run(...args: readonly string[]) {
  app.clock.advance(Math.floor(Date.now() / 1000) - app.clock.seconds())
  const { code, value } = await remitJson(cwd, ['keys', ...args, '--profile', profile])
  return { code, value }
}

test('remit keys list, rotate: a dry run first (section 11)', async () => {
  const before = await run('list')
  assert.deepEqual([before.code, before.value.length], [0, 4])
  const planned = await run('rotate', '--alg', 'ES256', '--dry-run')
  assert.deepEqual([planned.value.dry_run, planned.value.kid, planned.value.publish_lead], [true, null, 86_400])
  const made = await run('rotate', '--alg', 'ES256', '--publish-lead', '40')
  assert.deepEqual([made.code, made.value.dry_run, made.value.publish_lead], [0, false, 40])
  const listed = await run('list')
  assert.deepEqual(
    listed.value.flatMap((key: { kid: string; state: string }) => (key.state === 'next' ? [key.kid] : [])),
    [made.value.kid],
  )
  const tooSoon = await remit(cwd, ['keys', 'rotate', '--alg', 'ES256', '--publish-lead', '39', '--profile', profile])
  assert.deepEqual([tooSoon.code, /from 40 to 2592000/.test(tooSoon.stderr)], [2, true])
})
