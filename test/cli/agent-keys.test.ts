import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader, exportJWK } from 'jose'
import { startTestApp } from '../support/app.ts'
import { generateKey, type TestKey } from '../support/dpop.ts'
import { givenAdmin, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { remit, remitJson, workingDirectory } from './remit.ts'

const API = 'https://api.example.com'
const app = await startTestApp()
const { issuer, clock } = app
const cwd = await workingDirectory()
await givenResource(app, { resource: API, scopes: [{ name: 'read' }] })
const access = [
  { resource: API, scope: 'read' },
  { resource: issuer, scope: 'generate:intent-token register:intent' },
]
const client = await givenClient(app, { access, policies: { agent_keys: 'endorsed' } })
const planner = await givenAgent(app, client, 'planner', { grant: { access: access.slice(0, 1) } })
const admin = await givenAdmin(app)

async function privateFile(name: string, { alg, privateKey }: TestKey): Promise<string> {
  const path = join(cwd, name)
  await writeFile(path, JSON.stringify({ ...(await exportJWK(privateKey)), alg }))
  return path
}
const clientKey = await privateFile('client.json', client.key)
const agentKey = await privateFile('agent.json', planner.key)
const profile = join(cwd, 'profile.json')
const private_jwk = await exportJWK(admin.key.privateKey)
await writeFile(profile, JSON.stringify({ issuer, admin_url: app.adminUrl, client_id: admin.client_id, private_jwk }))
const AS_CLIENT = ['--client', client.client_id, '--client-key', clientKey, '--url', issuer]

/** The commands live in real time, the test clock does not. */
async function run(...args: readonly string[]) {
  clock.advance(Math.floor(Date.now() / 1000) - clock.seconds())
  const { code, value } = await remitJson(cwd, [...args, '--profile', profile])
  return { code, value }
}

test('remit agent key add, list, remove: a key of the agent vouches for the next one', async () => {
  const added = await run(
    'agent',
    'key',
    'add',
    client.client_id,
    'planner',
    '--generate-key',
    'next.json',
    '--signer',
    agentKey,
    ...AS_CLIENT,
  )
  assert.deepEqual([added.code, added.value.source], [0, 'registered'])
  const { jkt } = added.value
  const list = await run('agent', 'key', 'list', client.client_id, 'planner')
  assert.deepEqual(
    list.value.map((key: { kid: string }) => key.kid),
    [planner.key.jkt, jkt].sort(),
  )
  const removed = await run('agent', 'key', 'remove', client.client_id, 'planner', jkt, ...AS_CLIENT)
  assert.deepEqual(removed, { code: 0, value: { jkt, endorsed_keys: 0 } })
  const again = await run('agent', 'key', 'remove', client.client_id, 'planner', jkt, ...AS_CLIENT)
  assert.deepEqual([again.code, again.value.error], [1, 'not_found'])
})

test('remit agent key add and remove as the administrator of the profile, without a signer', async () => {
  const name = [client.client_id, 'planner']
  const added = await run('agent', 'key', 'add', ...name, '--generate-key', 'by-admin.json')
  assert.deepEqual([added.code, added.value.source, added.value.endorsed_by], [0, 'registered', null])
  const { jkt } = added.value
  const other = await privateFile('other.json', await generateKey())
  assert.equal((await run('agent', 'key', 'add', ...name, '--key', other)).code, 0)
  const removed = await run('agent', 'key', 'remove', ...name, jkt)
  assert.deepEqual(removed, { code: 0, value: { jkt, endorsed_keys: 0 } })
  const rows = await app.ctx.db
    .selectFrom('audit_event')
    .select(['action', 'actor', 'outcome'])
    .where('actor', '=', admin.client_id)
    .where('action', 'like', 'agent_key.%')
    // The clock of the test stands still, and rows of one instant have no order among themselves.
    .orderBy('action')
    .execute()
  assert.deepEqual(
    rows.map(({ action, outcome }) => [action, outcome]),
    [
      ['agent_key.add', 'success'],
      ['agent_key.add', 'success'],
      ['agent_key.remove', 'success'],
    ],
  )
})

test('who registers a key is either a client with a signer or the administrator without one', async () => {
  const add = ['agent', 'key', 'add', client.client_id, 'planner', '--key', agentKey]
  const wrong = [
    [...add, '--signer', agentKey],
    [...add, '--signer-is-client'],
    [...add, ...AS_CLIENT],
    [...add, '--client-key', clientKey],
  ]
  for (const args of wrong) {
    const { code, value } = await run(...args)
    assert.deepEqual([code, value.error], [2, 'usage'])
  }
})

test('remit agent key endorse vouches for a process, which mints with remit token mint --key-statement', async () => {
  const process = await generateKey()
  const processKey = await privateFile('process.json', process)
  const endorse = ['agent', 'key', 'endorse', client.client_id, 'planner', processKey, '--url', issuer]
  const { code, stdout } = await remit(cwd, [...endorse, '--client-key', clientKey, '--lifetime', '600'])
  assert.equal(code, 0)
  const statement = stdout.trim()
  const { iat = 0, exp = 0, jti, ...claims } = decodeJwt(statement)
  const sub = `agent:${client.client_id}:planner`
  assert.deepEqual(claims, { iss: client.client_id, sub, aud: issuer, jkt: process.jkt })
  assert.deepEqual([exp - iat, typeof jti], [600, 'string'])
  assert.deepEqual(decodeProtectedHeader(statement), { typ: 'agent-key+jwt', alg: 'ES256', kid: client.key.jkt })

  await writeFile(join(cwd, 'statement'), stdout)
  const asked = ['--agent', 'planner', '--checksum', planner.checksum, '--scope', 'read', '--resource', API]
  const mint = ['token', 'mint', ...asked, '--key', processKey, ...AS_CLIENT]
  const minted = await run(...mint, '--key-statement', 'statement')
  assert.equal(minted.code, 0)
  const token = decodeJwt<{ agent_proof: { key: string } }>(minted.value.access_token)
  assert.deepEqual([token.cnf, token.agent_proof.key], [{ jkt: process.jkt }, 'endorsed'])
  assert.deepEqual((await run(...mint)).code, 1)

  const byAgent = await remit(cwd, [...endorse, '--agent-key', agentKey])
  assert.equal(decodeJwt(byAgent.stdout.trim()).iss, sub)
  for (const wrong of [
    [],
    ['--client-key', clientKey, '--lifetime', '86401'],
    ['--client-key', clientKey, '--lifetime', 'x'],
  ]) {
    assert.equal((await remit(cwd, [...endorse, ...wrong])).code, 2)
  }
})

test('remit shim-release add, list, withdraw', async () => {
  const checksum = 'a'.repeat(64)
  const added = await run('shim-release', 'add', '1.2.0', checksum, '--minimum')
  const released_at = clock.now().toISOString()
  const release = { version: '1.2.0', checksum, minimum: true, status: 'released', released_at, withdrawn_at: null }
  assert.deepEqual(added, { code: 0, value: release })
  assert.deepEqual(await run('shim-release', 'list'), { code: 0, value: [release] })
  const withdrawn = await run('shim-release', 'withdraw', '1.2.0')
  assert.deepEqual([withdrawn.code, withdrawn.value.status], [0, 'withdrawn'])
})
