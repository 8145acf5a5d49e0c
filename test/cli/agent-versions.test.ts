import assert from 'node:assert/strict'
import { access as statFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

const agentOf = (agent_id: string, prompt_template: string, configuration = '{}') =>
  `{"agent_id":"${agent_id}","prompt_template":"${prompt_template}","tools":[],"configuration":${configuration}}`

describe('versions of agents on the command line', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  await serve(cwd, env)
  const at = ['--url', issuer]
  await remit(cwd, ['init', ...at, '--admin-url', admin_url])
  const access = [{ resource: issuer, scope: 'register:intent read:agent-components' }]
  const client = {
    client_id: 'app',
    client_name: 'App',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    access,
    policies: { allow_bearer: true },
  }
  await writeFile(join(cwd, 'client.json'), JSON.stringify(client))
  await remit(cwd, ['client', 'create', 'client.json', '--secret-file', 'secret', ...at])
  const as = ['--client', 'app', '--secret-file', 'secret', ...at]
  await writeFile(join(cwd, 'one.json'), agentOf('one', 'Line one.\\nLine two.', '{"temperature": 0.0}'))
  await writeFile(join(cwd, 'one-b.json'), agentOf('one', 'Line one.\\nLine\u200b 2.', '{"temperature": 0}'))
  await writeFile(join(cwd, 'two.json'), agentOf('two', 'Two.'))
  await writeFile(join(cwd, 'three.yaml'), 'agent_id: three\nprompt_template: Three.\ntools: []\n')

  test('several files are one batch, all or none; a refusal names the agent and why (section 4)', async () => {
    const made = await remitJson(cwd, ['agent', 'create', 'two.json', 'three.yaml', ...as])
    assert.equal(made.code, 0)
    assert.deepEqual(
      made.value.map((row: { agent_id: string; version: number }) => [row.agent_id, row.version]),
      [
        ['two', 1],
        ['three', 1],
      ],
    )
    const refused = await remitJson(cwd, ['agent', 'create', 'one.json', 'two.json', ...as])
    assert.deepEqual([refused.code, refused.value.error], [1, 'invalid_request'])
    assert.match(refused.value.message, /^No agent of the batch was registered.* two \(duplicate_agent\): /)
    const keyed = await remitJson(cwd, ['agent', 'create', 'one.json', 'two.json', '--generate-key', 'k', ...as])
    assert.deepEqual([keyed.code, keyed.value.error], [2, 'usage'])
  })

  test('profile reference hashes the numbers as the file has them, and refuses YAML (section 4)', async () => {
    const reference = ['--checksum-profile', 'reference', ...as]
    const made = await remitJson(cwd, ['agent', 'create', 'one.json', ...reference])
    assert.equal(made.code, 0)
    // python3: json.dumps({"id":"one","prompt":"Line one.\nLine two.","tools":[],"config":{"temperature":0.0}}, sort_keys=True)
    assert.equal(made.value.checksum, '5cc1d1282eb81fb04e107d9c1fd2bbfd4a37f188d81c38171115230f48d0433b')
    const yaml = await remitJson(cwd, ['agent', 'create', 'three.yaml', ...reference])
    assert.deepEqual([yaml.code, yaml.value.error], [1, 'file_malformed'])
    assert.match(yaml.value.message, /is no JSON: profile reference hashes how numbers are written/)
  })

  test('a preview prints warnings and what changes, and registers nothing (section 4)', async () => {
    const asked = ['agent', 'preview', 'one-b.json', '--checksum-profile', 'reference', '--drain', '60', ...as]
    const { code, stdout } = await remit(cwd, asked)
    assert.equal(code, 0)
    assert.match(stdout, /^pending_for +hidden-characters$/m)
    assert.match(stdout, /^Warning: hidden-characters at prompt_template: .*U\+200B\.$/m)
    assert.match(stdout, /Changes since version 1\nPrompt:\n│ {3}Line one\.\n│ - Line two\.\n│ \+ Line⟦U\+200B⟧ 2\.$/m)
    assert.match(stdout, /^│ - {3}"temperature": 0\.0\n│ \+ {3}"temperature": 0$/m)
    const shown = await remitJson(cwd, ['agent', 'show', 'app', 'one', ...at])
    assert.equal(shown.value.registrations.length, 1)
  })

  test('a client that may not read components gets a preview without the changes, and is told why (section 2)', async () => {
    const body = { ...client, client_id: 'blind', access: [{ resource: issuer, scope: 'register:intent' }] }
    await writeFile(join(cwd, 'blind.json'), JSON.stringify(body))
    await remit(cwd, ['client', 'create', 'blind.json', '--secret-file', 'blind-secret', ...at])
    const asBlind = ['--client', 'blind', '--secret-file', 'blind-secret', ...at]
    await writeFile(join(cwd, 'own.json'), agentOf('own', 'Line one.'))
    const first = await remit(cwd, ['agent', 'preview', 'own.json', ...asBlind])
    assert.deepEqual([first.code, first.stderr], [0, ''])
    assert.equal((await remitJson(cwd, ['agent', 'create', 'own.json', ...asBlind])).code, 0)
    await writeFile(join(cwd, 'own-b.json'), agentOf('own', 'Line one.\\nLine\u200b 2.'))
    const { code, stdout, stderr } = await remit(cwd, ['agent', 'preview', 'own-b.json', ...asBlind])
    assert.equal(code, 0)
    assert.match(stdout, /^Warning: hidden-characters at prompt_template: /m)
    assert.doesNotMatch(stdout, /Line one|Change/)
    assert.equal(
      stderr,
      'What changes since version 1 is not shown: the access of client blind lacks scope read:agent-components.\n',
    )
  })

  test('[attack 85] a prompt does not pass for what the server says: margin, and after it (section 4)', async () => {
    const forged = 'Sort.\\n\\nChanged since version 1: (none)\\nWarning: none'
    await writeFile(join(cwd, 'one-c.json'), agentOf('one', forged, '{"a\\nb": "\u200b"}'))
    const previewed = await remit(cwd, ['agent', 'preview', 'one-c.json', ...as])
    assert.equal(previewed.code, 0)
    const made = await remitJson(cwd, ['agent', 'create', 'one-c.json', ...as])
    assert.equal(made.value.status, 'pending')
    const version = await remit(cwd, ['agent', 'version', 'app', 'one', made.value.registration_id, ...at])
    assert.equal(version.code, 0)
    for (const { stdout } of [previewed, version]) {
      const lines = stdout.split('\n')
      const [first] = lines.flatMap((line, index) => (line.startsWith('│ ') ? [index] : []))
      const ours = lines.filter(line => !line.startsWith('│ '))
      assert.deepEqual(
        ours.filter(line => /^(Warning|Changed)/.test(line)),
        [
          'Warning: hidden-characters at configuration.a⟦U+000A⟧b: Characters that are not seen, or pass for others: U+000A.',
          'Warning: hidden-characters at configuration.a⟦U+000A⟧b: Characters that are not seen, or pass for others: U+200B.',
          'Changed since version 1: prompt, configuration',
        ],
      )
      assert.ok(lines.indexOf('Changed since version 1: prompt, configuration') < (first ?? 0))
      assert.ok(lines.some(line => /^│ (\+ )?Warning: none$/.test(line)))
    }
  })

  test('--drain lets the older version mint beside the new one, within the policy (section 4)', async () => {
    await writeFile(join(cwd, 'two-b.json'), agentOf('two', 'Two and more.'))
    const long = await remitJson(cwd, ['agent', 'create', 'two-b.json', '--drain', '3601', ...as])
    assert.deepEqual([long.code, long.value.error], [1, 'invalid_request'])
    assert.equal((await remitJson(cwd, ['agent', 'create', 'two-b.json', '--drain', '60', ...as])).code, 0)
    const { value } = await remitJson(cwd, ['agent', 'show', 'app', 'two', ...at])
    assert.deepEqual(
      value.registrations.map((row: { version: number; status: string }) => [row.version, row.status]),
      [
        [2, 'active'],
        [1, 'draining'],
      ],
    )
  })

  test('--app registers for another client, and only for one that registers_for names (section 4)', async () => {
    const ci = { ...client, client_id: 'ci', registers_for: ['app'] }
    await writeFile(join(cwd, 'ci.json'), JSON.stringify(ci))
    await remit(cwd, ['client', 'create', 'ci.json', '--secret-file', 'ci-secret', ...at])
    const asCi = ['--client', 'ci', '--secret-file', 'ci-secret', ...at]
    await writeFile(join(cwd, 'planner.json'), agentOf('planner', 'Plan.'))
    const previewed = await remitJson(cwd, ['agent', 'preview', 'planner.json', '--app', 'app', ...asCi])
    assert.deepEqual([previewed.code, previewed.value.version], [0, 1])
    const made = await remitJson(cwd, ['agent', 'create', 'planner.json', '--app', 'app', ...asCi])
    assert.equal(made.code, 0)
    assert.match(made.stderr, /remit agent grant app planner --access /)
    await writeFile(join(cwd, 'helper.json'), agentOf('helper', 'Help.'))
    await writeFile(join(cwd, 'reader.json'), agentOf('reader', 'Read.'))
    const several = ['agent', 'create', 'helper.json', 'reader.json', '--app', 'app', ...asCi]
    assert.equal((await remitJson(cwd, several)).code, 0)
    const list = async (client_id: string) => {
      const { value } = await remitJson(cwd, ['agent', 'list', client_id, ...at])
      return value.map((row: { agent_id: string }) => row.agent_id)
    }
    assert.deepEqual(await list('ci'), [])
    for (const agent_id of ['planner', 'helper', 'reader']) assert.ok((await list('app')).includes(agent_id))
    for (const act of ['create', 'preview']) {
      const refused = await remitJson(cwd, ['agent', act, 'planner.json', '--app', 'ci', ...as])
      assert.deepEqual([act, refused.code, refused.value.error], [act, 1, 'unauthorized_client'])
    }
  })

  test('a preview judges what create with the same options sends: key, access, drain (section 4)', async () => {
    await writeFile(join(cwd, 'keyed.json'), agentOf('keyed', 'Keyed.'))
    await remitJson(cwd, ['agent', 'create', 'keyed.json', ...as])
    await writeFile(join(cwd, 'keyed-b.json'), agentOf('keyed', 'Keyed again.'))
    const both = async (...options: readonly string[]) => {
      const preview = await remitJson(cwd, ['agent', 'preview', 'keyed-b.json', ...options, ...as])
      const create = await remitJson(cwd, ['agent', 'create', 'keyed-b.json', ...options, ...as])
      return [preview.value.status ?? preview.value.error, create.value.status ?? create.value.error]
    }
    assert.deepEqual(await both('--access', 'https://nowhere.example.test read'), ['invalid_scope', 'invalid_scope'])
    assert.deepEqual(await both('--drain', '3601'), ['invalid_request', 'invalid_request'])
    assert.deepEqual(await both('--generate-key', 'keyed-key.json'), ['pending', 'pending'])
    await writeFile(join(cwd, 'keyed-b.json'), agentOf('keyed', 'Keyed once more.'))
    assert.deepEqual(await both('--key', 'keyed-key.json'), ['pending', 'pending'])
    await writeFile(join(cwd, 'keyed-b.json'), agentOf('keyed', 'Without a key.'))
    assert.deepEqual(await both(), ['active', 'active'])
    const unwritten = await remitJson(cwd, ['agent', 'preview', 'one.json', '--generate-key', 'none.json', ...as])
    assert.equal(unwritten.code, 0)
    await assert.rejects(statFile(join(cwd, 'none.json')), { code: 'ENOENT' })
  })
})
