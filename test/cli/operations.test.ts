import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateKey, signAssertion } from '../support/dpop.ts'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

const API = 'https://api.example.test'
const AGENT = '{"agent_id":"greeter","prompt_template":"Say hello.","tools":[]}'

test('backup beside a running server, restore into an empty one: revoked stays revoked, old tokens are inactive, what was used stays used, the old profile works (R18)', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const at = ['--url', issuer, '--admin-url', admin_url]
  const first = await serve(cwd, env)
  await remitJson(cwd, ['init', '--owner', 'user:local:anna', ...at])
  const resource = { resource: API, scopes: [{ name: 'read' }] }
  await remitJson(cwd, ['resource', 'create', '-'], env, JSON.stringify(resource))
  const app = {
    client_id: 'app',
    client_name: 'App',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [
      { resource: issuer, scope: 'register:intent generate:intent-token' },
      { resource: API, scope: 'read' },
    ],
  }
  await remitJson(cwd, ['client', 'create', '-', '--secret-file', 'secret'], env, JSON.stringify(app))
  await writeFile(join(cwd, 'agent.json'), AGENT)
  const asApp = ['--client', 'app', '--secret-file', 'secret']
  for (const agent of ['kept', 'lost']) {
    const file = `${agent}.json`
    await writeFile(join(cwd, file), AGENT.replace('greeter', agent))
    const create = ['agent', 'create', file, ...asApp, '--generate-key', `${agent}-key.json`, '--access', `${API} read`]
    assert.equal((await remitJson(cwd, create)).code, 0)
  }
  assert.equal((await remitJson(cwd, ['revoke', 'agent', 'app/lost', '--reason', 'test'])).code, 0)
  // With an assertion that is fresh for 300 seconds: nothing but the epoch of the restore stands against it.
  const key = await generateKey()
  const signer = {
    ...{ client_id: 'signer', client_name: 'Signer', owner: 'user:local:anna', kind: 'app' },
    ...{ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } },
    grant_types: ['client_credentials'],
    access: [{ resource: issuer, scope: 'register:intent' }],
  }
  assert.equal((await remitJson(cwd, ['client', 'create', '-'], env, JSON.stringify(signer))).code, 0)
  const request = async () => {
    const iat = Math.floor(Date.now() / 1000)
    return new URLSearchParams({
      ...{ grant_type: 'client_credentials', resource: issuer, scope: 'register:intent' },
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signAssertion(key, { client_id: 'signer', issuer, iat }, { payload: { exp: iat + 300 } }),
    })
  }
  const ask = async (body: URLSearchParams) => {
    const response = await fetch(`${issuer}/oauth/token`, { method: 'POST', body })
    return [response.status, JSON.parse(await response.text()).error]
  }
  const used = await request()
  assert.deepEqual(await ask(used), [200, undefined])
  const asAppHere = ['--client', 'app', '--secret-file', join(cwd, 'secret'), '--url', issuer]
  const mint = (agent: string) => {
    const asAgent = ['--file', join(cwd, `${agent}.json`), '--key', join(cwd, `${agent}-key.json`)]
    return ['token', 'mint', ...asAppHere, ...asAgent, '--scope', 'read', '--resource', API]
  }
  const introspect = (token: string) => ['token', 'introspect', token, ...asAppHere]
  const { access_token: old } = (await remitJson(cwd, mint('kept'))).value
  assert.equal((await remitJson(cwd, introspect(old))).value.active, true)

  const made = await remitJson(cwd, ['backup', 'remit.gz'], env)
  assert.equal(made.code, 0)
  assert.equal((await stat(join(cwd, 'remit.gz'))).mode & 0o777, 0o600)
  assert.equal((await remitJson(cwd, ['backup', 'remit.gz'], env)).value.error, 'file_unwritable')
  const inUse = await remitJson(cwd, ['restore', 'remit.gz'], env)
  assert.deepEqual([inUse.code, inUse.value.error], [1, 'start_refused'])
  first.child.kill('SIGTERM')
  await first.exit

  const other = await workingDirectory()
  await mkdir(join(other, 'data'), { mode: 0o711 })
  const withoutKek = await remitJson(other, ['restore', join(cwd, 'remit.gz')], env)
  assert.match(withoutKek.value.message, /key-encryption key file .* is missing/)
  await copyFile(join(cwd, 'data', 'kek'), join(other, 'data', 'kek'))
  const restored = await remitJson(other, ['restore', join(cwd, 'remit.gz')], env)
  assert.deepEqual([restored.code, restored.value.rows], [0, made.value.rows])
  const again = await remitJson(other, ['restore', join(cwd, 'remit.gz')], env)
  assert.match(again.value.message, /was used by Remit before/)

  const second = await serve(other, env)
  assert.ok(Date.now() >= Date.parse(restored.value.not_before), 'nobody is served before the epoch has begun')
  const profile = ['--profile', join(cwd, 'data', 'cli.json')]
  const trail = await remitJson(other, ['audit', 'search', '--action', 'admin.restore', '--since', '1h', ...profile])
  const { rows: _, ...epoch } = restored.value
  assert.deepEqual(
    trail.value.map((row: { details: unknown }) => row.details),
    [epoch],
  )
  const agents = await remitJson(other, ['agent', 'show', 'app', 'lost', ...profile])
  assert.equal(agents.value.agent_status, 'revoked')
  assert.deepEqual((await remitJson(other, introspect(old))).value, { active: false })
  assert.deepEqual(await ask(used), [401, 'invalid_client'])
  assert.deepEqual(await ask(await request()), [200, undefined])
  const { access_token: anew } = (await remitJson(other, mint('kept'))).value
  assert.equal((await remitJson(other, introspect(anew))).value.active, true)
  assert.equal((await remitJson(other, mint('lost'))).value.error, 'unknown_agent')
  second.child.kill('SIGTERM')
  await second.exit
})

test('admin recover makes an administrator beside a running server, revokes the others when told, and leaves bootstrap closed', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const server = await serve(cwd, env)
  const token = await readFile(join(cwd, 'data', 'bootstrap-token'), 'utf8')
  const init = ['init', '--owner', 'user:local:anna', '--url', issuer, '--admin-url', admin_url]
  const { value: anna } = await remitJson(cwd, init)
  const recover = ['admin', 'recover', '--owner', 'user:local:ben', '--witness', 'user:local:eve', '--revoke-others']
  const taken = await remitJson(cwd, recover, env)
  assert.equal(taken.value.error, 'file_exists')
  const { code, value } = await remitJson(cwd, [...recover, '--profile', 'ben.json'], env)
  assert.deepEqual([code, value.revoked], [0, [anna.client_id]])
  assert.equal((await stat(join(cwd, 'ben.json'))).mode & 0o777, 0o600)

  const asBen = ['--profile', 'ben.json']
  const clients = await remitJson(cwd, ['client', 'show', anna.client_id, ...asBen])
  assert.equal(clients.value.status, 'revoked')
  assert.equal((await remitJson(cwd, ['client', 'list'])).code, 1, 'the old profile opens nothing')
  const trail = await remitJson(cwd, ['audit', 'tail', '--limit', '200', ...asBen])
  const row = trail.value.find((event: { action: string }) => event.action === 'admin.recover')
  assert.deepEqual(row.details, { owner: 'user:local:ben', witness: 'user:local:eve', revoked: [anna.client_id] })
  await writeFile(join(cwd, 'token'), token)
  const reopened = await remitJson(cwd, [...init, '--token-file', 'token', '--profile', 'mallory.json'])
  assert.equal(reopened.value.error, 'conflict')
  server.child.kill('SIGTERM')
  await server.exit
})

test('in production two people recover the administration', async () => {
  const cwd = await workingDirectory()
  const same = await remitJson(cwd, ['admin', 'recover', '--owner', 'user:local:ben', '--witness', 'user:local:ben'])
  assert.deepEqual([same.code, same.value.error], [2, 'usage'])
  await writeFile(join(cwd, 'kek'), `${'ab'.repeat(32)}\n`, { mode: 0o600 })
  const production = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://remit@127.0.0.1:1/none',
    REMIT_ISSUER: 'https://idp.example.com',
    REMIT_KEK_FILE: 'kek',
    REMIT_BOOTSTRAP_TOKEN_FILE: 'token',
  }
  const alone = await remit(cwd, ['admin', 'recover', '--owner', 'user:local:ben'], production)
  assert.equal(alone.code, 2)
  assert.match(alone.stderr, /In production two people recover/)
})
