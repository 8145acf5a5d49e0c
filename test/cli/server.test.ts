import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { curlLines } from '../../src/cli/example.ts'
import { freeAddresses, remit, remitJson, run, serve, workingDirectory } from './remit.ts'

const API = 'https://api.example.test'
const COMPONENTS = `
agent_id: greeter
prompt_template: Say hello to {name}.
tools: [{ name: greet, description: Greets one person, parameters: { type: object } }]
`

/** One server and one working directory; the tests follow each other as a newcomer's commands would. */
describe('the command line against a server', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const at = ['--url', issuer, '--admin-url', admin_url]
  const asApp = ['--client', 'app', '--secret-file', 'secret']
  const mint = ['token', 'mint', ...asApp, '--key', 'agent-key.json', '--scope', 'read', '--resource', API]
  const token = { value: '' }
  await writeFile(join(cwd, 'agent.yaml'), COMPONENTS)
  await writeFile(join(cwd, 'changed.yaml'), COMPONENTS.replace('hello', 'goodbye'))
  const server = await serve(cwd, env)

  test('serve announces where it listens and where the one-time token is', async () => {
    const bootstrap_token_file = join(cwd, 'data', 'bootstrap-token')
    const listen = `127.0.0.1:${env.REMIT_PORT}`
    assert.deepEqual(server.announced, { issuer, listen, admin_url, pid: server.child.pid, bootstrap_token_file })
    assert.equal((await stat(bootstrap_token_file)).mode & 0o777, 0o600)
  })

  test('init makes the first administrator and never overwrites its profile', async () => {
    const profile = join(cwd, 'data', 'cli.json')
    const otherName = ['--url', issuer.replace('127.0.0.1', 'localhost'), '--admin-url', admin_url]
    const { code, value, stderr } = await remitJson(cwd, ['init', '--owner', 'user:local:anna', ...otherName])
    assert.equal(code, 0)
    assert.match(stderr, /calls itself .*the profile has the server's name/)
    const { client_id } = value
    assert.deepEqual(value, { profile_file: 'data/cli.json', issuer, admin_url, client_id })
    assert.equal((await stat(profile)).mode & 0o777, 0o600)
    const written = await readFile(profile, 'utf8')
    const again = await remitJson(cwd, ['init', ...at])
    assert.deepEqual([again.code, again.value.error], [1, 'profile_exists'])
    assert.equal(await readFile(profile, 'utf8'), written)
    await writeFile(join(cwd, 'wrong-token'), 'x'.repeat(43))
    const elsewhere = await remitJson(cwd, ['init', '--profile', 'other.json', '--token-file', 'wrong-token', ...at])
    assert.deepEqual([elsewhere.code, elsewhere.value.error], [1, 'conflict'])
    assert.equal(existsSync(join(cwd, 'other.json')), false)
  })

  test('init --example prints shell lines that get an intent token with nothing but curl', async t => {
    const { code, stdout } = await remit(cwd, ['init', '--example', ...at])
    assert.equal(code, 0)
    assert.ok(stdout.trimEnd().split('\n').length <= 9)
    if (!existsSync('/usr/bin/curl')) return t.skip('no curl here')
    const pasted = await run('/bin/sh', ['-s'], { cwd, stdin: stdout })
    assert.equal(pasted.code, 0)
    assert.match(pasted.stdout, /aud: 'https:\/\/api\.example\.test'[\s\S]*executed_by: 'hello'/)
    const twice = await run('/bin/sh', ['-s'], { cwd, stdin: stdout })
    // The answer to a duplicate names the checksum too: the lines go on.
    assert.deepEqual([twice.code, twice.stderr], [0, ''])
    assert.match(twice.stdout, /executed_by: 'hello'/)
    const wrong = await run('/bin/sh', ['-s'], { cwd, stdin: stdout.replace(/(APP=hello-app:)\S+/, '$1wrong') })
    assert.deepEqual([wrong.code, wrong.stdout], [1, ''])
    assert.match(wrong.stderr, /error: 'invalid_client'/)
    const nobody = stdout.replace(issuer, (await freeAddresses()).issuer)
    const unanswered = await run('/bin/sh', ['-s'], { cwd, stdin: nobody })
    assert.match(unanswered.stderr, /^curl: .*\nno answer\n/)
    for (const { stderr } of [wrong, unanswered]) assert.doesNotMatch(stderr, /^ +at |SyntaxError/m)
  })

  test('README has the lines that init --example prints; a second time it says that the secret is gone', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
    const [, lines = ''] = /## The first token by hand[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme) ?? []
    const printed = curlLines('http://127.0.0.1:4000', 'SECRET')
    assert.equal(lines, `${printed.join('\n')}\n`)
    const again = await remitJson(cwd, ['init', '--example', ...at])
    assert.deepEqual([again.code, again.value.error], [1, 'conflict'])
    assert.match(again.value.message, /hello-app exists; its secret cannot be shown again/)
  })

  test('the example of client create --help is a client that registers agents', async () => {
    const { stdout } = await remit(cwd, ['client', 'create', '--help'])
    const [, example = ''] = /for example:\n([\s\S]*?)\n(?! )/.exec(stdout) ?? []
    const client = parse(example.replace('http://127.0.0.1:4000', issuer))
    const secret = ['--secret-file', 'notes-secret']
    const created = await remitJson(cwd, ['client', 'create', '-', ...secret], {}, stringify(client))
    assert.deepEqual([created.code, created.value.client_id], [0, 'notes-app'])
    const asNotes = ['--client', 'notes-app', ...secret]
    const withKey = ['--generate-key', 'notes-key.json']
    const registered = await remitJson(cwd, ['agent', 'create', 'agent.yaml', ...asNotes, ...withKey])
    assert.deepEqual([registered.code, registered.value.status], [0, 'active'])
    const { agent_id, registration_id } = registered.value
    const retire = ['agent', 'retire', 'notes-app', agent_id, '--registration', registration_id]
    assert.ok(registered.stderr.includes(`: remit agent grant notes-app ${agent_id} --access "RESOURCE SCOPES"`))
    const asked = ['--file', 'agent.yaml', '--key', 'notes-key.json', '--scope', 'read', '--resource', API]
    const refused = await remitJson(cwd, ['token', 'mint', ...asNotes, ...asked])
    assert.equal(refused.code, 1)
    assert.match(refused.value.message, /not in the access of the client, or of this agent/)
    assert.match(refused.value.next, /the agent itself .*--access/)
    const again = ['agent', 'create', 'agent.yaml', ...asNotes, '--key', 'notes-key.json', '--access', `${API} read`]
    const same = await remitJson(cwd, again)
    assert.equal(same.value.error, 'duplicate_agent')
    assert.match(same.value.next, /^Same content: nothing was changed.*retire the version.*remit agent key add/)
    assert.equal((await remitJson(cwd, retire)).code, 0)
    const given = await remitJson(cwd, again)
    assert.deepEqual([given.code, given.value.status], [0, 'active'], given.stderr)
    assert.equal((await remitJson(cwd, ['token', 'mint', ...asNotes, ...asked])).code, 0)
  })

  test('client create, list and show; a secret goes into a new file of mode 0600', async () => {
    const client = {
      client_id: 'app',
      client_name: 'App',
      owner: 'user:local:bert',
      kind: 'app',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'agent_checksum'],
      access: [
        { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
        { resource: API, scope: 'read write' },
      ],
      // What is completed is its own word here.
      policies: { workflow_state: 'asserted', default_grant: 'client', require_approval: true },
    }
    const stdin = JSON.stringify(client)
    const created = await remitJson(cwd, ['client', 'create', '-', '--secret-file', 'secret'], {}, stdin)
    assert.deepEqual([created.code, created.value.secret_file], [0, 'secret'])
    assert.equal(created.value.client_secret, undefined)
    assert.equal((await stat(join(cwd, 'secret'))).mode & 0o777, 0o600)
    const taken = await remitJson(cwd, ['client', 'create', '-', '--secret-file', 'secret2'], {}, stdin)
    assert.deepEqual([taken.code, taken.value.error], [1, 'conflict'])
    assert.equal(existsSync(join(cwd, 'secret2')), false)
    const listed = await remitJson(cwd, ['client', 'list'])
    assert.deepEqual(listed.value.map((row: { owner: string }) => row.owner).includes('user:local:bert'), true)
    const { secret_file: _, ...record } = created.value
    assert.deepEqual((await remitJson(cwd, ['client', 'show', 'app'])).value, record)
    const unknown = await remitJson(cwd, ['client', 'show', 'nobody'])
    assert.deepEqual([unknown.code, unknown.value.error], [1, 'not_found'])
  })

  test('client create --generate-key gives the client the public half only', async () => {
    const client = {
      client_id: 'ci',
      client_name: 'CI',
      owner: 'user:local:bert',
      kind: 'service',
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['client_credentials'],
      access: [{ resource: issuer, scope: 'read:agents' }],
    }
    await writeFile(join(cwd, 'ci.json'), JSON.stringify(client))
    const { code, value } = await remitJson(cwd, ['client', 'create', 'ci.json', '--generate-key', 'ci-key.json'])
    assert.equal(code, 0)
    const { d, alg: _, ...publicJwk } = JSON.parse(await readFile(join(cwd, 'ci-key.json'), 'utf8'))
    assert.equal(typeof d, 'string')
    assert.deepEqual(value.jwks, { keys: [publicJwk] })
    const asCi = ['--client', 'ci', '--client-key', 'ci-key.json']
    const refused = await remitJson(cwd, ['agent', 'create', 'agent.yaml', ...asCi])
    assert.deepEqual([refused.code, refused.value.error], [1, 'invalid_scope'])
    assert.match(refused.value.next, /^The access of client ci lacks .*"register:intent"/)
  })

  test('a list of a client that does not exist is not_found, not empty', async () => {
    for (const kind of ['agent', 'workflow']) {
      const { code, value } = await remitJson(cwd, [kind, 'list', 'nobody'])
      assert.deepEqual([code, value.error], [1, 'not_found'])
    }
  })

  test('resource create, list and show', async () => {
    await writeFile(join(cwd, 'resource.yaml'), 'resource: https://files.example.test\nscopes: [{ name: open }]\n')
    const created = await remitJson(cwd, ['resource', 'create', 'resource.yaml'])
    assert.equal(created.code, 0)
    const listed = await remitJson(cwd, ['resource', 'list'])
    assert.deepEqual(listed.value.map((row: { resource: string }) => row.resource).toSorted(), [
      API,
      'https://files.example.test',
    ])
    assert.deepEqual((await remitJson(cwd, ['resource', 'show', 'https://files.example.test'])).value, created.value)
  })

  test('agent create, list, show and approve; a refused one leaves no key file', async () => {
    const created = await remitJson(cwd, [
      'agent',
      'create',
      'agent.yaml',
      ...asApp,
      '--generate-key',
      'agent-key.json',
    ])
    assert.deepEqual([created.code, created.value.agent_id, created.value.status], [0, 'greeter', 'pending'])
    assert.match(created.stderr, /remit agent approve/)
    const again = await remitJson(cwd, ['agent', 'create', 'agent.yaml', ...asApp, '--generate-key', 'second.json'])
    assert.deepEqual([again.code, again.value.error], [1, 'duplicate_agent'])
    assert.equal(existsSync(join(cwd, 'second.json')), false)
    const { registration_id, checksum } = created.value
    const version = ['--registration', registration_id, '--checksum', checksum]
    const approved = await remitJson(cwd, ['agent', 'approve', 'app', 'greeter', ...version])
    assert.deepEqual(approved.value, { ...created.value, status: 'active' })
    const listed = await remitJson(cwd, ['agent', 'list', 'app'])
    const shown = await remitJson(cwd, ['agent', 'show', 'app', 'greeter'])
    assert.deepEqual(
      listed.value.map((row: { checksum: string }) => row.checksum),
      [checksum],
    )
    assert.equal(
      shown.value.registrations[0].approved_by,
      JSON.parse(await readFile(join(cwd, 'data/cli.json'), 'utf8')).client_id,
    )
  })

  test('workflow create, list and show', async () => {
    const steps = '{ step_id: look, agent_id: greeter, required: true }, { step_id: speak, agent_id: greeter }'
    await writeFile(join(cwd, 'workflow.yaml'), `workflow_id: greeting\nsteps: [${steps}]\n`)
    const created = await remitJson(cwd, ['workflow', 'create', 'workflow.yaml', ...asApp])
    assert.deepEqual(created.value, { status: 'registered', workflow_id: 'greeting', version: 1 })
    const listed = await remitJson(cwd, ['workflow', 'list', 'app'])
    assert.equal(listed.value.length, 1)
    const shown = await remitJson(cwd, ['workflow', 'show', 'app', 'greeting'])
    const [version] = shown.value.versions
    assert.deepEqual(
      [shown.value.status, version.status, version.steps.map((step: { step_id: string }) => step.step_id)],
      ['active', 'active', listed.value[0].step_ids],
    )
    const unknown = await remitJson(cwd, ['workflow', 'show', 'app', 'nothing'])
    assert.deepEqual([unknown.code, unknown.value.error], [1, 'not_found'])
  })

  test('token mint, verify and decode for a step of a workflow', async () => {
    const step = ['--workflow', 'greeting', '--step', 'speak', '--completed', 'look']
    const minted = await remitJson(cwd, [...mint, '--file', 'agent.yaml', ...step])
    assert.deepEqual([minted.code, minted.value.token_type, minted.value.scope], [0, 'DPoP', 'read'])
    token.value = minted.value.access_token
    const checked = ['token', 'verify', token.value, '--audience', API]
    const proven = await remitJson(cwd, [...checked, '--key', 'agent-key.json'])
    assert.deepEqual([proven.code, proven.value.valid, proven.value.possession], [0, true, 'proven'])
    assert.equal((await remitJson(cwd, checked)).value.possession, 'not checked')
    const stolen = await remitJson(cwd, [...checked, '--key', 'ci-key.json'])
    assert.deepEqual([stolen.code, stolen.value.error], [1, 'proof_by_another_key'])
    const elsewhere = await remitJson(cwd, ['token', 'verify', token.value, '--audience', 'https://files.example.test'])
    assert.deepEqual([elsewhere.code, elsewhere.value.error], [1, 'token_aud'])
    const decoded = await remitJson(cwd, ['token', 'decode', token.value])
    assert.deepEqual(decoded.value.payload, proven.value.claims)
  })

  test('a refused mint carries the precise code, the sentence and what to do next', async () => {
    const changed = await remitJson(cwd, [...mint, '--file', 'changed.yaml'])
    assert.deepEqual([changed.code, changed.value.error], [1, 'agent_checksum_mismatch'])
    assert.match(changed.value.next, /remit agent create/)
    const skipped = await remit(cwd, [...mint, '--file', 'agent.yaml', '--workflow', 'greeting', '--step', 'speak'])
    assert.deepEqual([skipped.code, skipped.stdout], [1, ''])
    assert.match(skipped.stderr, /^workflow_step_unauthorized: /)
    const bare = await remitJson(cwd, [...mint, '--file', 'agent.yaml'])
    assert.deepEqual([bare.code, bare.value.error], [1, 'workflow_required'])
  })

  test('doctor works while the server holds the database, and says who holds it', async () => {
    const { code, value } = await remitJson(cwd, ['doctor'], env)
    assert.equal(code, 0)
    const byName = Object.fromEntries(value.checks.map((check: { name: string }) => [check.name, check]))
    assert.match(byName['data directory holder'].message, new RegExp(`^Process ${server.child.pid} runs`))
    const names = [
      'database',
      'durability',
      'clock',
      'migrations',
      'partitions',
      'key-encryption key',
      'sealed rows',
      'issuer',
    ]
    for (const name of names) assert.equal(byName[name]?.status, 'ok', name)
  })

  test('doctor finds a key-encryption key that does not open what is sealed', async () => {
    await writeFile(join(cwd, 'other-kek'), `${'cd'.repeat(32)}\n`, { mode: 0o600 })
    const { code, value } = await remitJson(cwd, ['doctor'], { ...env, REMIT_KEK_FILE: 'other-kek' })
    assert.equal(code, 1)
    const [failed] = value.checks.filter((check: { status: string }) => check.status === 'fail')
    assert.match(failed.message, /not the one this database was sealed with/)
    const absent = await remitJson(cwd, ['doctor'], { ...env, REMIT_KEK_FILE: 'no-kek' })
    assert.match(JSON.stringify(absent.value), /is missing and the database holds rows sealed with it/)
    assert.equal(existsSync(join(cwd, 'no-kek')), false)
  })

  test('a second holder of the data directory is refused by name: migrate and serve', async () => {
    const other = await freeAddresses()
    for (const command of ['migrate', 'serve']) {
      const { code, value } = await remitJson(cwd, [command], other.env)
      assert.deepEqual([code, value.error], [1, 'start_refused'])
      assert.match(value.message, new RegExp(`in use by process ${server.child.pid}`))
    }
  })

  test('revoke ends an agent, and the audit trail shows it', async () => {
    const revoked = await remitJson(cwd, ['revoke', 'agent', 'app/greeter', '--reason', 'test'])
    assert.deepEqual([revoked.code, revoked.value.kind, revoked.value.id], [0, 'agent', 'app/greeter'])
    const refused = await remitJson(cwd, [...mint, '--file', 'agent.yaml'])
    assert.deepEqual([refused.code, refused.value.error], [1, 'unknown_agent'])
    assert.match(refused.value.next, /where it was revoked, take another agent_id; .*remit agent resume/)
    const tail = await remitJson(cwd, ['audit', 'tail', '--limit', '3', '--client', 'app'])
    assert.deepEqual(
      tail.value.map((row: { action: string; outcome: string }) => `${row.action} ${row.outcome}`).slice(-2),
      ['revocation.create success', 'token.issue refused'],
    )
    const text = await remit(cwd, ['audit', 'tail', '--limit', '1'])
    assert.match(text.stdout, /^at +action +outcome/)
  })

  test('openapi writes the document of the routes', async () => {
    const { code, value } = await remitJson(cwd, ['openapi', 'api.yaml'])
    assert.deepEqual([code, value], [0, { file: 'api.yaml' }])
    assert.match(await readFile(join(cwd, 'api.yaml'), 'utf8'), /^openapi: 3\.1\.0/)
  })

  test('SIGTERM stops the server in order: exit 0, one JSON value on standard output in its whole life', async () => {
    server.child.kill('SIGTERM')
    assert.equal(await server.exit, 0)
    assert.equal(server.stdout().trimEnd().split('\n').length, 1)
    assert.match(await server.stderr, /DEVELOPMENT MODE/)
    const afterwards = await remitJson(cwd, ['migrate'], env)
    assert.deepEqual([afterwards.code, afterwards.value], [0, { migrated: [] }])
    const doctor = await remitJson(cwd, ['doctor'], env)
    assert.match(JSON.stringify(doctor.value), /The embedded Postgres does not run/)
  })
})
