import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

const API = 'https://api.example.test'

/** One server and one working directory; the tests follow each other. */
describe('workflows, revocation and introspection by the command line', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const asApp = ['--client', 'app', '--secret-file', 'secret']
  const mint = ['token', 'mint', ...asApp, '--file', 'agent.yaml', '--key', 'agent-key.json', '--scope', 'read']
  await serve(cwd, env)

  async function mintFor(step: readonly string[]) {
    return await remitJson(cwd, [...mint, '--resource', API, ...step])
  }

  test('a client, an API and an agent are made', async () => {
    const client = {
      client_id: 'app',
      client_name: 'App',
      owner: 'user:local:bert',
      kind: 'app',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'agent_checksum'],
      access: [
        { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
        { resource: API, scope: 'read' },
      ],
      policies: { default_grant: 'client' },
    }
    const files: Readonly<Record<string, string>> = {
      'client.json': JSON.stringify(client),
      'api.yaml': `resource: ${API}\nscopes: [{ name: read }]\n`,
      'agent.yaml': 'agent_id: greeter\nprompt_template: Say hello.\ntools: []\n',
      'one.yaml': 'workflow_id: one\nsteps: [{ step_id: look, agent_id: greeter }]\n',
      'two.yaml':
        'workflow_id: two\nsteps: [{ step_id: gate, approval_gate: true }, { step_id: look, agent_id: greeter }]\n',
      'bad.yaml': 'workflow_id: bad\nsteps: [{ step_id: look, agent_id: nobody }]\n',
    }
    for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content)
    const made = [
      ['init', '--owner', 'user:local:anna', '--url', issuer, '--admin-url', admin_url],
      ['resource', 'create', 'api.yaml'],
      ['client', 'create', 'client.json', '--secret-file', 'secret'],
      ['agent', 'create', 'agent.yaml', ...asApp, '--generate-key', 'agent-key.json'],
    ]
    for (const args of made) {
      const { code, stderr } = await remitJson(cwd, args)
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    }
  })

  test('the example of workflow create --help is a workflow with a gate and a step that it guards', async () => {
    const { stdout } = await remit(cwd, ['workflow', 'create', '--help'])
    const [, example = ''] = /for example:\n([\s\S]*?)\n(?! )/.exec(stdout) ?? []
    const ungated = example.replace(', approval_gate: true', ', agent_id: hello')
    const create = ['workflow', 'create', '-', ...asApp]
    const refused = await remitJson(cwd, create, {}, ungated.replaceAll('hello', 'greeter'))
    assert.match(refused.value.message, /needs a step with approval_gate: true \(and no agent_id\) before it/)
    const created = await remitJson(cwd, create, {}, example.replaceAll('hello', 'greeter'))
    assert.deepEqual(created.value, { status: 'registered', workflow_id: 'greeting', version: 1 })
    assert.equal((await remitJson(cwd, ['workflow', 'deregister', 'greeting', ...asApp])).code, 0)
  })

  test('workflow create takes several files, all or none, and says which is refused', async () => {
    const refused = await remitJson(cwd, ['workflow', 'create', 'one.yaml', 'bad.yaml', ...asApp])
    assert.deepEqual([refused.code, refused.value.error], [1, 'invalid_request'])
    assert.match(refused.value.message, /bad \(invalid_request\): A step is assigned to an agent/)
    const created = await remitJson(cwd, ['workflow', 'create', 'one.yaml', 'two.yaml', ...asApp])
    assert.deepEqual(created.value, {
      workflows: [
        { status: 'registered', workflow_id: 'one', version: 1 },
        { status: 'registered', workflow_id: 'two', version: 1 },
      ],
    })
    assert.match(
      created.stderr,
      /Only within a workflow .*, unless their grant says outside_workflow, now mint: greeter\n/,
    )
    const shown = await remit(cwd, ['workflow', 'show', 'app', 'two'])
    assert.match(
      shown.stdout,
      /Steps of version 1 \(active\)\n1 {2}gate {2}a person decides {2}\(approval gate\)\n2 {2}look {2}greeter\n$/,
    )
  })

  test('token introspect tells its own client, plain and signed', async () => {
    const { value } = await mintFor(['--workflow', 'one', '--step', 'look'])
    const plain = await remitJson(cwd, ['token', 'introspect', value.access_token, ...asApp])
    assert.deepEqual([plain.value.active, plain.value.intent.workflow_id], [true, 'one'])
    const signed = await remitJson(cwd, ['token', 'introspect', '-', '--signed', ...asApp], {}, value.access_token)
    assert.deepEqual(signed.value, plain.value)
    const other = await remitJson(cwd, ['token', 'introspect', 'x', '--signed', ...asApp])
    assert.deepEqual([other.code, other.value], [0, { active: false }])
  })

  test('revoke says in words what stops; a revoked workflow comes back by approval only', async () => {
    const revoked = await remit(cwd, ['revoke', 'workflow', 'app/one', '--reason', 'test'])
    assert.equal(revoked.stdout, 'Revoked workflow app/one.\n1 live token stops.\n1 open execution ends with it.\n')
    assert.equal((await mintFor(['--workflow', 'one', '--step', 'look'])).value.error, 'workflow_step_unauthorized')
    const again = await remitJson(cwd, ['workflow', 'create', 'one.yaml', ...asApp])
    assert.deepEqual(again.value, { status: 'pending', workflow_id: 'one', version: 2 })
    assert.match(again.stderr, /^Workflow one is pending: .*"remit workflow approve app one --version 2"\.\n$/)
    const shown = await remitJson(cwd, ['workflow', 'show', 'app', 'one'])
    assert.match(shown.stderr, /remit workflow approve app one --version 2/)
    const text = await remit(cwd, ['workflow', 'show', 'app', 'one'])
    const why = 'Why version 2 waits\nthe workflow was revoked, and comes back by approval only\n'
    assert.ok(text.stdout.includes(why), text.stdout)
    const waiting = await remitJson(cwd, ['workflow', 'list', '--pending'])
    assert.deepEqual(
      waiting.value.map((row: { client_id: string; workflow_id: string }) => [row.client_id, row.workflow_id]),
      [['app', 'one']],
    )
    assert.equal(waiting.stderr, 'See what waits, and why: remit workflow show app one\n')
    const reject = ['workflow', 'reject', 'app', 'one', '--version', '2', '--reason', 'not yet']
    assert.deepEqual((await remitJson(cwd, reject)).value, { status: 'rejected', workflow_id: 'one', version: 2 })
    assert.equal((await remitJson(cwd, ['workflow', 'create', 'one.yaml', ...asApp])).value.version, 3)
    const approve = ['workflow', 'approve', 'app', 'one', '--version', '3']
    assert.equal((await remitJson(cwd, approve)).value.status, 'registered')
    assert.equal((await mintFor(['--workflow', 'one', '--step', 'look'])).code, 0)
  })

  test('workflow deregister ends one, and again; open executions forbid it without --close', async () => {
    const refused = await remitJson(cwd, ['workflow', 'deregister', 'one', ...asApp])
    assert.deepEqual([refused.code, refused.value.error], [1, 'invalid_request'])
    assert.match(refused.value.message, /open executions/)
    for (const options of [['--close'], []]) {
      const ended = await remitJson(cwd, ['workflow', 'deregister', 'two', ...options, ...asApp])
      assert.deepEqual(ended.value, { status: 'deregistered', workflow_id: 'two', version: 1, closed: 0 })
    }
    const listed = await remitJson(cwd, ['workflow', 'list', 'app'])
    assert.deepEqual(
      listed.value.map((row: { workflow_id: string; status: string }) => [row.workflow_id, row.status]),
      [
        ['greeting', 'deregistered'],
        ['one', 'active'],
        ['two', 'deregistered'],
      ],
    )
  })

  test('revoke takes the server’s own key with the scope that it needs, and revocation list shows it', async () => {
    const minted = await mintFor(['--workflow', 'one', '--step', 'look'])
    const decoded = await remitJson(cwd, ['token', 'decode', minted.value.access_token])
    const { kid } = decoded.value.header
    const revoked = await remitJson(cwd, ['revoke', 'key', kid, '--reason', 'leaked'])
    assert.deepEqual([revoked.value.final, revoked.value.revoked.key], [true, 1])
    const after = await mintFor(['--workflow', 'one', '--step', 'look'])
    assert.equal(after.code, 0)
    assert.equal((await remitJson(cwd, ['revoke', 'initiator', 'user:corp:1', '--reason', 'left'])).value.final, false)
    const kinds = async (...options: readonly string[]) => {
      const { value, stderr } = await remitJson(cwd, ['revocation', 'list', ...options])
      return [value.map((row: { kind: string }) => row.kind).join(' '), stderr]
    }
    const older = 'There are older ones: --all shows every one that is kept.\n'
    assert.deepEqual(await kinds('--limit', '1'), ['initiator', older])
    assert.deepEqual(await kinds('--limit', '1', '--kind', 'execution'), ['execution', ''])
    assert.deepEqual(await kinds('--all', '--kind', 'key'), ['key', ''])
    const { value } = await remitJson(cwd, ['revocation', 'list', '--limit', '2'])
    assert.deepEqual(
      value.map((row: { kind: string; id: string }) => [row.kind, row.id]),
      [
        ['initiator', 'user:corp:1'],
        ['key', kid],
      ],
    )
  })
})
