import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

const cwd = await workingDirectory()
const { env, issuer, admin_url } = await freeAddresses()
const server = await serve(cwd, env)
await remitJson(cwd, ['init', '--owner', 'user:local:anna'], env)

async function json(...args: readonly string[]) {
  const { code, value, stderr } = await remitJson(cwd, args, env)
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
  return value
}

async function file(name: string, content: unknown): Promise<string> {
  await writeFile(join(cwd, name), JSON.stringify(content))
  return name
}

test('a client is created, changed, given a new secret, listed and deleted by command', async () => {
  await json(
    'resource',
    'create',
    await file('api.json', { resource: 'https://api.example.test', scopes: [{ name: 'read' }] }),
  )
  const body = {
    client_id: 'shop',
    client_name: 'Shop',
    owner: 'user:local:bob',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    access: [],
  }
  await json('client', 'create', await file('shop.json', body))
  const flags = [
    '--access',
    'https://api.example.test read',
    '--policy',
    'require_approval=true',
    '--policy',
    'max_drain_seconds=60',
  ]
  const changed = await json('client', 'update', 'shop', ...flags, '--owner', 'user:local:carl')
  assert.deepEqual(changed.access, [{ resource: 'https://api.example.test', scope: 'read' }])
  assert.deepEqual(
    [changed.owner, changed.policies.require_approval, changed.policies.max_drain_seconds],
    ['user:local:carl', true, 60],
  )
  const named = await json('client', 'update', 'shop', await file('change.json', { client_name: 'Shop 2' }))
  assert.deepEqual([named.client_name, named.policies.require_approval], ['Shop 2', true])
  const rotate = ['client', 'rotate-secret', 'shop']
  const atOnce = await remitJson(cwd, [...rotate, '--secret-file', 'first'], env)
  assert.match(atOnce.stderr, /^The older secrets ended at once\. With --overlap SECONDS /)
  const overlapping = await remitJson(cwd, [...rotate, '--overlap', '60', '--secret-file', 'secret'], env)
  const rotated = overlapping.value
  assert.deepEqual([rotated.client_secret, rotated.secrets.length], [undefined, 2])
  assert.match(overlapping.stderr, /^An older secret is good until 2[0-9T:.Z-]+\.\n$/)
  assert.match(await readFile(join(cwd, 'secret'), 'utf8'), /^[A-Za-z0-9_-]{44}\n$/)
  assert.equal((await stat(join(cwd, 'secret'))).mode & 0o777, 0o600)
  const listed = await json('client', 'list', '--owner', 'user:local:carl')
  assert.deepEqual(
    listed.map((row: { client_id: string }) => row.client_id),
    ['shop'],
  )
  const deleted = await remit(cwd, ['client', 'delete', 'shop', '--reason', 'closed'], env)
  assert.match(deleted.stdout, /^status +deleted$/m)
  assert.ok(deleted.stdout.endsWith('\n\nRevoked client shop.\n0 live tokens stop.\n'), deleted.stdout)
  assert.deepEqual(await json('client', 'list', '--owner', 'user:local:carl'), [])
  const gone = await json('client', 'list', '--status', 'deleted')
  assert.deepEqual(
    gone.map((row: { client_id: string }) => row.client_id),
    ['shop'],
  )
})

test('an administrator changes its own keys, with every admin scope that it has', async () => {
  const { client_id } = JSON.parse(await readFile(join(cwd, 'data', 'cli.json'), 'utf8'))
  const { jwks } = await json('client', 'show', client_id)
  const again = await json('client', 'update', client_id, await file('keys.json', { jwks }))
  assert.deepEqual(again.jwks, jwks)
})

test('while a client changes its key it has two of one kind, and signs with either (RFC 7517 section 4.5)', async () => {
  await json('keygen', 'old-key.json', '--public', 'old.json')
  await json('keygen', 'new-key.json', '--public', 'new.json')
  const [old, young] = await Promise.all(['old.json', 'new.json'].map(name => readFile(join(cwd, name), 'utf8')))
  // A name that the client gave its key itself is no thumbprint, which the assertion names.
  const keys = [{ ...JSON.parse(old ?? ''), kid: 'of-last-year' }, JSON.parse(young ?? '')]
  const record = {
    client_id: 'rotating',
    client_name: 'Rotating',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys },
    grant_types: ['client_credentials'],
    access: [{ resource: issuer, scope: 'register:intent' }],
    policies: {},
  }
  await json('client', 'create', await file('rotating.json', record))
  for (const name of ['old', 'new']) {
    const parts = await file(`${name}-agent.json`, { agent_id: name, prompt_template: 'Work.', tools: [] })
    const made = await json('agent', 'create', parts, '--client', 'rotating', '--client-key', `${name}-key.json`)
    assert.deepEqual([made.agent_id, made.status], [name, 'active'])
  }
  const deleted = await json('client', 'delete', 'rotating', '--reason', 'done')
  assert.deepEqual([deleted.status, deleted.revocation.revoked.client], ['deleted', 1])
})

test('a resource is changed and deleted, and owners are listed and transferred by command', async () => {
  const uri = 'https://mail.example.test'
  await json('resource', 'create', await file('mail.json', { resource: uri, scopes: [{ name: 'send' }] }))
  const changed = await json('resource', 'update', uri, await file('mail2.json', { max_token_lifetime: 60 }))
  assert.deepEqual([changed.max_token_lifetime, changed.clients], [60, 0])
  const uris = async (...status: readonly string[]) =>
    (await json('resource', 'list', ...status)).map((row: { resource: string }) => row.resource)
  assert.equal((await uris()).includes(uri), true)
  assert.deepEqual(await uris('--status', 'deleted'), [])
  assert.equal((await json('resource', 'delete', uri, '--reason', 'closed')).status, 'deleted')
  assert.deepEqual(await uris('--status', 'deleted'), [uri])
  assert.equal((await uris()).includes(uri), false)
  assert.deepEqual(await json('owner', 'list'), [{ owner: 'user:local:anna', clients: 1, operators: 1 }])
  const moved = await json('owner', 'transfer', '--from', 'user:local:anna', '--to', 'user:local:eve', '--reason', 'x')
  assert.deepEqual(moved, { from: 'user:local:anna', to: 'user:local:eve', clients: 1 })
})

test('the example of resource create --help is a resource, and shows the marks and the profile', async () => {
  const { stdout } = await remit(cwd, ['resource', 'create', '--help'], env)
  const [, example = ''] = /but for the marks and client_id:\n([\s\S]*?)\n(?! )/.exec(stdout) ?? []
  await json('client', 'create', await file('api-client.json', API_CLIENT))
  await writeFile(join(cwd, 'example.yaml'), example.replace('example.test', 'example.test/example'))
  const { created_at: _, ...made } = await json('resource', 'create', 'example.yaml')
  assert.deepEqual(made, {
    resource: 'https://api.example.test/example',
    scopes: [
      { name: 'read', workflow: false, approval: false },
      { name: 'write', workflow: true, approval: false },
      { name: 'pay', workflow: false, approval: true },
    ],
    token_profile: 'interop',
    signing_alg: 'ES256',
    max_token_lifetime: 300,
    allow_bearer: false,
    chain_disclosure: 'actors',
    workflow_names: 'plain',
    client_id: 'api-example',
    status: 'active',
    updated_at: null,
  })
})

const API_CLIENT = {
  client_id: 'api-example',
  client_name: 'API',
  owner: 'user:local:anna',
  kind: 'service',
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  access: [],
}

test('wrong usage is named before anything is asked of the server', async () => {
  const wrong = [
    ['client', 'update', 'shop'],
    ['client', 'update', 'shop', '--policy', 'require_approval'],
    ['client', 'rotate-secret', 'shop', '--overlap', '604801'],
    ['client', 'delete', 'shop'],
    ['client', 'list', '--status', 'gone'],
    ['owner', 'transfer', '--from', 'a', '--to', 'b'],
    ['resource', 'update', 'https://a.test'],
  ]
  const results = await Promise.all(wrong.map(args => remitJson(cwd, args, env)))
  assert.deepEqual(
    results.map(({ code, value }) => [code, value.error]),
    wrong.map(() => [2, 'usage']),
  )
  const { stdout } = await remit(cwd, ['client', '--help'])
  for (const name of ['create', 'list', 'show', 'update', 'rotate-secret', 'delete'])
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'))
  assert.deepEqual([server.announced.issuer, server.announced.admin_url], [issuer, admin_url])
})
