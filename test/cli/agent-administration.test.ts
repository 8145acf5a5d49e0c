import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { stringify } from 'yaml'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

/** One server and one administrator; the tests follow each other as an operator's day would. */
describe('the command line administrates agents', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const components = (prompt_template: string) => stringify({ agent_id: 'greeter', prompt_template, tools: [] })
  const create = async (prompt: string) => {
    await writeFile(join(cwd, 'agent.yaml'), components(prompt))
    const asApp = ['--client', 'app', '--secret-file', 'secret']
    const { code, value } = await remitJson(cwd, ['agent', 'create', 'agent.yaml', ...asApp])
    assert.equal(code, 0)
    return value
  }
  const agent = (command: string, ...rest: string[]) => remitJson(cwd, ['agent', command, 'app', 'greeter', ...rest])
  await serve(cwd, env)
  await remitJson(cwd, ['init', '--owner', 'user:local:root', '--url', issuer, '--admin-url', admin_url])
  await writeFile(
    join(cwd, 'client.yaml'),
    stringify({
      client_id: 'app',
      client_name: 'App',
      owner: 'user:local:anna',
      kind: 'app',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'agent_checksum'],
      access: [{ resource: issuer, scope: 'register:intent' }],
    }),
  )
  await remitJson(cwd, ['client', 'create', 'client.yaml', '--secret-file', 'secret'])
  const first = await create('Say hello.')

  test('there is nothing to go back to at first, and the command says what to do', async () => {
    const { code, value } = await agent('rollback')
    assert.deepEqual([code, value.error], [1, 'not_found'])
    assert.match(value.next, /remit agent show app greeter/)
  })

  test('rollback is one command: it finds the version itself', async () => {
    await create('Say goodbye.')
    const { code, value, stderr } = await agent('rollback', '--drain', '60')
    assert.equal(code, 0)
    const { registration_id } = value
    const expected = { agent_id: 'greeter', registration_id, checksum: first.checksum, version: 3, status: 'active' }
    assert.deepEqual(value, expected)
    assert.match(stderr, /Going back to version 1/)
    const wrong = await agent('rollback', '--drain', 'soon')
    assert.deepEqual([wrong.code, wrong.value.error], [2, 'usage'])
    const named = await agent('rollback', '--to', '2')
    assert.deepEqual([named.value.version, named.value.status], [4, 'active'])
  })

  test('list and show name what waits, and the command that reads it', async () => {
    const waiting = await create('Say\u202e hello.')
    assert.equal(waiting.status, 'pending')
    const { value, stderr } = await remitJson(cwd, ['agent', 'list', '--pending'])
    assert.deepEqual(
      value.map((row: { app_id: string; pending: number }) => [row.app_id, row.pending]),
      [['app', 1]],
    )
    assert.equal(stderr, 'See what waits: remit agent show app greeter\n')
    const table = await remit(cwd, ['agent', 'list', '--pending'])
    assert.equal(table.stdout, 'app_id  agent_id  agent_status  pending\napp     greeter   active        1\n')
    assert.deepEqual((await remitJson(cwd, ['agent', 'list', 'app', '--status', 'suspended'])).value, [])
    const shown = await remit(cwd, ['agent', 'show', 'app', 'greeter'])
    assert.match(shown.stderr, new RegExp(`remit agent version app greeter ${waiting.registration_id}`))
    assert.match(shown.stdout, /pending \(hidden-characters\)/)
    const version = await remit(cwd, ['agent', 'version', 'app', 'greeter', waiting.registration_id])
    assert.equal(version.code, 0, version.stderr)
    assert.match(version.stderr, /remit agent approve app greeter --registration .* --checksum [0-9a-f]{64}/)
    assert.match(version.stdout, /Warning: hidden-characters at prompt_template/)
    assert.match(version.stdout, /Changes since version 4/)
    assert.equal(version.stdout.includes('\u202e'), false)
  })

  test('reject is bound to content: a named version with its checksum, which "agent version" has printed', async () => {
    const { value } = await agent('show')
    const { registration_id } = value.registrations[0]
    const reject = (...rest: string[]) => agent('reject', '--reason', 'Other content.', ...rest)
    for (const half of [
      ['--registration', registration_id],
      ['--checksum', first.checksum],
    ]) {
      const { code, value } = await reject(...half)
      assert.deepEqual([code, value.error], [2, 'usage'])
    }
    const other = await reject('--registration', registration_id, '--checksum', first.checksum)
    assert.deepEqual([other.code, other.value.error], [1, 'conflict'])
    assert.equal((await agent('show')).value.pending, 1)
    const version = await remit(cwd, ['agent', 'version', 'app', 'greeter', registration_id])
    const named = `--registration ${registration_id} --checksum ${value.registrations[0].checksum}`
    assert.ok(version.stderr.includes(`remit agent reject app greeter ${named} --reason`))
    const done = await reject(...named.split(' '))
    assert.deepEqual([done.code, done.value.version, done.value.status], [0, 5, 'rejected'])
  })

  test('reject takes the pending version where none is named, and finds none the second time', async () => {
    await create('Say\u202e hello again.')
    const { code, value } = await agent('reject', '--reason', 'Reads backwards.')
    assert.deepEqual([code, value.version, value.status], [0, 6, 'rejected'])
    const again = await agent('reject', '--reason', 'Again.')
    assert.deepEqual([again.code, again.value.error], [1, 'not_found'])
  })

  test('grant takes the place of the whole grant, without a new version', async () => {
    const resource = 'https://crm.example/api'
    await writeFile(join(cwd, 'crm.yaml'), stringify({ resource, scopes: [{ name: 'read' }, { name: 'write' }] }))
    await remitJson(cwd, ['resource', 'create', 'crm.yaml'])
    const held = ['--access', `${resource} read write`, '--access', `${issuer} register:intent`]
    assert.equal((await remitJson(cwd, ['client', 'update', 'app', ...held])).code, 0)
    const given = await agent('grant', '--access', `${resource} read`, '--outside-workflow')
    const grant = { access: [{ resource, scope: 'read' }], outside_workflow: true }
    assert.deepEqual([given.code, given.value], [0, { client_id: 'app', agent_id: 'greeter', grant }])
    const none = { access: [], outside_workflow: false }
    assert.deepEqual((await agent('grant', '--nothing')).value.grant, none)
    for (const rest of [[], ['--nothing', '--access', `${resource} read`]]) {
      const { code, value } = await agent('grant', ...rest)
      assert.deepEqual([code, value.error], [2, 'usage'])
    }
    const above = await agent('grant', '--access', `${resource} delete`)
    assert.deepEqual([above.code, above.value.error], [1, 'invalid_request'])
  })

  test('suspend, resume and retire say what follows', async () => {
    const suspended = await agent('suspend', '--reason', 'It leaks.')
    assert.deepEqual([suspended.code, suspended.value.agent_status], [0, 'suspended'])
    assert.deepEqual(suspended.value.revoked, { agent: 1, token: 0 })
    assert.match(suspended.stderr, /remit agent resume app greeter/)
    const resumed = await agent('resume')
    assert.deepEqual([resumed.code, resumed.value.agent_status], [0, 'active'])
    const { value } = await agent('show')
    const retired = await agent('retire', '--registration', value.registration_id)
    assert.deepEqual([retired.code, retired.value.status], [0, 'retired'])
    assert.match(retired.stderr, /remit revoke registration/)
    const inWords = await remit(cwd, ['agent', 'suspend', 'app', 'greeter', '--reason', 'Again.'])
    assert.equal(
      inWords.stdout,
      'Suspended agent app/greeter: it mints nothing.\nIts live tokens stop: introspection calls them inactive from now on.\nAn API that does not introspect takes them until they expire.\n',
    )
  })
})
