import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { exportJWK } from 'jose'
import { startForeignIssuer } from '../../demo/foreign-issuer.ts'
import { generateKey, signProof } from '../support/dpop.ts'
import { jsonOf } from '../support/json-of.ts'
import { freeAddresses, remitJson, serve, workingDirectory } from './remit.ts'

/** One server whose first administrator is Anna, and a provider that is not ours; the tests follow each other. */
const cwd = await workingDirectory()
const { env: addresses, issuer } = await freeAddresses()
const env = { ...addresses, REMIT_ALLOW_PRIVATE_FETCH: '1' }
await serve(cwd, env)
await remitJson(cwd, ['init', '--owner', 'user:local:anna'], env)
const idp = await startForeignIssuer({
  people: { eve: { groups: ['approvers'] }, bob: { groups: ['readers'] } },
  applications: [{ client_id: 'desk' }, { client_id: 'ci', workload: { repository: 'acme/agents' } }],
})
after(idp.close)
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
const ADMIN = `${issuer}/admin`
const PEOPLE = ['--profile', 'people.json']

async function json(...args: readonly string[]) {
  const { code, value, stderr } = await remitJson(cwd, args, env)
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
  return value
}

async function refused(...args: readonly string[]) {
  const { code, value, stderr } = await remitJson(cwd, args, env)
  assert.equal(code, 1, `${args.join(' ')}: ${stderr}`)
  return value
}

async function file(name: string, content: unknown): Promise<string> {
  await writeFile(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content))
  return name
}

const { client_id: desk } = await json(
  ...['admin', 'add', '--owner', 'user:local:ops', '--profile-out', 'people.json', '--by-login'],
)
const record = { issuer: idp.issuer, jwks_uri: idp.jwks_uri, algs: ['ES256'], typ_may_be_absent: true }

test('issuer create, list, show and update work by command (protocol.md section 11)', async () => {
  const staff = {
    ...record,
    ...{ name: 'staff', purpose: 'operator', audience: 'desk', clients: [desk] },
    claims: { aud_name: 'x' },
  }
  assert.match((await refused('issuer', 'create', await file('staff.json', staff))).message, /access/)
  const access = (scope: string) => [{ resource: ADMIN, scope }]
  const access_by_claim = [
    { claim: 'groups', value: 'approvers', access: access('approve:agents approve:steps audit:read admin:clients') },
    { claim: 'groups', value: 'readers', access: access('audit:read') },
  ]
  const created = await json('issuer', 'create', await file('staff.json', { ...staff, access_by_claim }))
  assert.deepEqual([created.name, created.status, created.max_age], ['staff', 'active', 300])
  const jwt = { claims: { sub: 'nobody' }, max_age: 280 }
  const updated = await json('issuer', 'update', 'staff', await file('change.json', jwt))
  assert.deepEqual([updated.claims, updated.max_age], [{ sub: 'nobody' }, 280])
  assert.deepEqual(await json('issuer', 'show', 'staff'), updated)
  assert.deepEqual(await json('issuer', 'list', '--purpose', 'operator'), [updated])
  assert.deepEqual(await json('issuer', 'list', '--purpose', 'workload'), [])
  assert.equal((await refused('issuer', 'show', 'nobody')).error, 'not_found')
})

test('a person logs in by a token of the issuer and administrates until it ends (section 6)', async () => {
  await file('eve.jwt', await idp.signIn('eve', 'desk'))
  const login = ['login', '--token-file', 'eve.jwt', ...PEOPLE]
  const wrong = await refused(...login)
  assert.equal(wrong.error, 'invalid_request', 'the record still asks for somebody else')
  await json('issuer', 'update', 'staff', await file('change.json', { claims: { sub: 'eve' } }))
  const { code, value, stderr } = await remitJson(cwd, login, env)
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^You are user:staff:eve for (2\d\d|300) seconds; then log in again\.\n$/)
  const scope = 'admin:clients approve:agents approve:steps audit:read'
  assert.deepEqual([value.sub, value.scope.split(' ').sort().join(' ')], ['user:staff:eve', scope])
  assert.equal((await stat(join(cwd, 'people.json.login'))).mode & 0o777, 0o600)
  assert.equal(existsSync(join(cwd, 'people.json.login.new')), false)
  await json('client', 'update', desk, '--name', 'Desk', ...PEOPLE)
  const [row] = await json('audit', 'search', '--action', 'client.update', '--limit', '1', ...PEOPLE)
  assert.deepEqual(
    [row.actor, row.details.acting_owner, row.details.caller],
    ['user:staff:eve', 'user:staff:eve', desk],
  )
  assert.match((await json('console', ...PEOPLE)).url, /#code=/)
})

test('a login has the scopes it was given and says which one is missing; nobody else’s are taken instead', async () => {
  const missing = await refused('revoke', 'client', 'nobody', '--reason', 'x', ...PEOPLE)
  assert.deepEqual(
    [missing.error, /user:staff:eve has not the scope revoke/.test(missing.message)],
    ['insufficient_scope', true],
  )
  const narrow = await json('login', '--token-file', 'eve.jwt', '--scope', 'audit:read', ...PEOPLE)
  assert.equal(narrow.scope, 'audit:read')
  assert.equal((await refused('client', 'list', ...PEOPLE)).error, 'insufficient_scope')
  assert.equal(
    (await refused('login', '--token-file', 'eve.jwt', '--scope', 'revoke', ...PEOPLE)).error,
    'invalid_scope',
  )
  assert.equal((await json('audit', 'tail', ...PEOPLE)).length > 0, true, 'a login that was refused takes none away')
})

test('logout ends it at the server too; a profile for people opens nothing without a login', async () => {
  const held = JSON.parse(await readFile(join(cwd, 'people.json.login'), 'utf8'))
  assert.deepEqual(await json('logout', ...PEOPLE), { sub: 'user:staff:eve' })
  assert.equal(existsSync(join(cwd, 'people.json.login')), false)
  assert.equal((await refused('client', 'list', ...PEOPLE)).error, 'unauthorized_client')
  assert.deepEqual(await json('logout', ...PEOPLE), { sub: null })
  await file('people.json.login', held)
  assert.equal((await refused('audit', 'tail', ...PEOPLE)).error, 'invalid_token', 'it was revoked')
})

test('a login that has ended is removed and said to have; the command is then the client’s own', async () => {
  const held = JSON.parse(await readFile(join(cwd, 'people.json.login'), 'utf8'))
  await file('people.json.login', { ...held, expires_at: Math.floor(Date.now() / 1000) })
  const { value, stderr } = await remitJson(cwd, ['audit', 'tail', ...PEOPLE], env)
  assert.match(stderr, /^Your login as user:staff:eve has ended: this runs as the client /)
  assert.equal(value.error, 'unauthorized_client')
  assert.equal(existsSync(join(cwd, 'people.json.login')), false)
  await file('people.json.login', 'nonsense: [')
  assert.equal((await refused('audit', 'tail', ...PEOPLE)).error, 'file_malformed')
  await file('people.json.login', {})
  assert.equal((await refused('audit', 'tail', ...PEOPLE)).error, 'login_malformed')
  assert.deepEqual(await json('logout', ...PEOPLE), { sub: null })
  await file('data/cli.json.login', held)
  assert.equal((await json('audit', 'tail')).length > 0, true, 'the login of another client is not used')
})

const key = await generateKey()
async function boundToken(audience: string): Promise<string> {
  const proof = await signProof(key, { htu: idp.token_endpoint, iat: Math.floor(Date.now() / 1000) })
  return await idp.workloadToken('ci', audience, proof)
}

test('a token that is bound logs in only with --key, the key that it is bound to (RFC 9449 section 6.1)', async () => {
  const night = {
    ...record,
    ...{ name: 'night', purpose: 'operator', audience: 'https://desk.example', clients: [desk], typs: ['at+jwt'] },
    claims: { repository: 'acme/agents' },
    access: [{ resource: ADMIN, scope: 'audit:read' }],
  }
  await json('issuer', 'create', await file('night.json', night))
  await file('bound.jwt', await boundToken('https://desk.example'))
  await file('key.json', await exportJWK(key.privateKey))
  const login = ['login', '--token-file', 'bound.jwt', ...PEOPLE]
  assert.equal((await refused(...login)).error, 'invalid_request')
  assert.equal((await json(...login, '--key', 'key.json')).sub, 'user:night:ci')
  assert.equal((await json('audit', 'tail', ...PEOPLE)).length > 0, true)
})

test('a CI job registers an agent and a workflow as itself, by its own token (section 6)', async () => {
  const shop = {
    client_id: 'shop',
    client_name: 'Shop',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
    access: [{ resource: issuer, scope: 'register:intent register:workflow' }],
  }
  await json('client', 'create', await file('shop.json', shop), '--secret-file', 'shop.secret')
  const ci = {
    ...record,
    ...{ name: 'ci', purpose: 'workload', audience: issuer, clients: ['shop'], typs: ['at+jwt'] },
    claims: { repository: 'acme/agents' },
    access: [{ resource: issuer, scope: 'register:intent register:workflow' }],
  }
  await json('issuer', 'create', await file('ci.json', ci))
  await file('job.jwt', await idp.workloadToken('ci', issuer))
  await file('bound.jwt', await boundToken(issuer))
  await file('agent.json', { agent_id: 'buyer', prompt_template: 'You buy.', tools: [] })
  await file('flow.json', { workflow_id: 'buy', steps: [{ step_id: 'pay', agent_id: 'buyer' }] })
  const as = ['--client', 'shop', '--secret-file', 'shop.secret']
  assert.equal((await refused('agent', 'create', 'agent.json', ...as)).error, 'unauthorized_client')
  assert.equal(
    (await refused('agent', 'create', 'agent.json', ...as, '--token-file', 'bound.jwt')).error,
    'invalid_request',
  )
  assert.equal((await json('agent', 'preview', 'agent.json', ...as, '--token-file', 'job.jwt')).status, 'active')
  const agent = await json('agent', 'create', 'agent.json', ...as, '--token-file', 'job.jwt')
  assert.equal(agent.status, 'active')
  assert.equal((await json('workflow', 'create', 'flow.json', ...as, '--token-file', 'job.jwt')).status, 'registered')
  const secret = (await readFile(join(cwd, 'shop.secret'), 'utf8')).trim()
  const form = { grant_type: shop.grant_types[0] ?? '', scope: 'register:intent' }
  const subject = { subject_token: await idp.workloadToken('ci', issuer), subject_token_type: `${TOKEN_TYPE}jwt` }
  const exchanged = await fetch(`${issuer}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`shop:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ ...form, ...subject }),
  })
  const { access_token, token_type } = await jsonOf(exchanged)
  assert.equal(token_type, 'Bearer', 'by hand, as the documents show it')
  const by_hand = await fetch(`${issuer}/intent/register/agent`, {
    method: 'POST',
    headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      app_id: 'shop',
      agent_components: { agent_id: 'seller', prompt_template: 'S.', tools: [] },
    }),
  })
  assert.equal((await jsonOf(by_hand)).status, 'active')
  for (const action of ['agent.register', 'workflow.register']) {
    const [row] = await json('audit', 'search', '--action', action, '--limit', '1')
    assert.deepEqual([row.actor, row.client_id], ['user:ci:ci', 'shop'])
  }
})

test('issuer delete ends the trust, and says what goes on', async () => {
  const { code, value, stderr } = await remitJson(cwd, ['issuer', 'delete', 'ci', '--reason', 'moved'], env)
  assert.deepEqual([code, value.status, value.note], [0, 'deleted', undefined])
  assert.match(stderr, /^Tokens and console sessions that it led to open nothing any more\.\n$/)
  const again = ['workflow', 'create', 'flow.json', '--client', 'shop', '--secret-file', 'shop.secret']
  assert.equal((await refused(...again, '--token-file', 'job.jwt')).error, 'invalid_request')
  assert.deepEqual((await json('issuer', 'list', '--status', 'deleted')).length, 1)
})
