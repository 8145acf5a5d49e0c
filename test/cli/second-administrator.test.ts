import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

/** One server whose first administrator is Anna; the tests follow each other. */
describe('a second administrator by the command line', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  await serve(cwd, env)
  await remitJson(cwd, ['init', '--owner', 'user:local:anna'], env)
  const add = (file: string, ...rest: string[]) =>
    remitJson(cwd, ['admin', 'add', '--owner', 'user:local:ben', '--profile-out', file, ...rest])

  test('admin add makes an operator with every admin scope of the caller, and a profile that works as it is', async () => {
    const { code, value, stderr } = await add('ben.json')
    assert.equal(code, 0, stderr)
    const profile = JSON.parse(await readFile(join(cwd, 'ben.json'), 'utf8'))
    const { private_jwk, ...named } = profile
    assert.deepEqual(named, { issuer, admin_url, client_id: value.client_id })
    assert.equal(typeof private_jwk.d, 'string')
    assert.equal((await stat(join(cwd, 'ben.json'))).mode & 0o777, 0o600)
    const shown = await remitJson(cwd, ['client', 'show', value.client_id, '--profile', 'ben.json'])
    const { kind, owner, grant_types, access } = shown.value
    const expected = [{ resource: `${issuer}/admin`, scope: ADMIN_SCOPES.join(' ') }]
    assert.deepEqual([kind, owner, grant_types], ['operator', 'user:local:ben', ['client_credentials']])
    assert.deepEqual(access, expected)
    assert.equal((await remitJson(cwd, ['audit', 'tail', '--profile', 'ben.json'])).code, 0)
  })

  test('admin add gives fewer scopes where told, writes no file when refused, and overwrites none', async () => {
    const { value } = await add('eve.json', '--scope', 'audit:read admin:clients')
    assert.equal(value.scope, 'admin:clients audit:read')
    const more = await add('more.json', '--scope', 'revoke', '--profile', 'eve.json')
    assert.deepEqual([more.code, more.value.error], [1, 'invalid_scope'])
    assert.equal(existsSync(join(cwd, 'more.json')), false)
    assert.equal((await add('eve.json')).value.error, 'file_exists')
    for (const wrong of [
      ['--scope', 'all'],
      ['--owner', 'ben'],
    ]) {
      assert.deepEqual((await add('wrong.json', ...wrong)).code, 2)
    }
    const all = await add('same.json', '--profile', 'eve.json')
    assert.equal(all.value.scope, 'admin:clients audit:read', 'all that the caller has')
  })

  test('client create and client update ask for the admin scopes that the access names (section 11)', async () => {
    const admin = `${issuer}/admin`
    const ops = {
      client_id: 'ops',
      client_name: 'Operations',
      owner: 'user:local:ben',
      kind: 'operator',
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['client_credentials'],
      access: [{ resource: admin, scope: 'approve:agents revoke' }],
    }
    await writeFile(join(cwd, 'ops.json'), JSON.stringify(ops))
    const created = await remitJson(cwd, ['client', 'create', 'ops.json', '--generate-key', 'ops-key.json'])
    assert.deepEqual([created.code, created.value.access], [0, ops.access], created.stderr)
    const wider = `${admin} approve:agents revoke audit:read`
    const updated = await remitJson(cwd, ['client', 'update', 'ops', '--access', wider])
    assert.deepEqual([updated.code, updated.value.access[0].scope.split(' ').length], [0, 3])
    await writeFile(join(cwd, 'access.json'), JSON.stringify({ access: [{ resource: admin, scope: 'admin:keys' }] }))
    assert.equal((await remitJson(cwd, ['client', 'update', 'ops', 'access.json'])).code, 0)
    const asEve = ['--profile', 'eve.json']
    const kept = await remitJson(cwd, ['client', 'update', 'ops', 'access.json', ...asEve])
    assert.equal(kept.code, 0, 'what the client has already is not given')
    const refused = await remitJson(cwd, ['client', 'update', 'ops', '--access', wider, ...asEve])
    assert.deepEqual([refused.code, refused.value.error], [1, 'invalid_scope'])
  })

  test('an error of the server ends with the command that explains it', async () => {
    await writeFile(join(cwd, 'wrong.json'), '{"client_id":"x"}')
    const asked = ['client', 'create', 'wrong.json']
    const { value } = await remitJson(cwd, asked)
    assert.match(value.request_id, /^[0-9A-Za-z_-]{22,40}$/)
    const { stderr } = await remit(cwd, asked)
    assert.match(stderr, /\nWhy: remit explain [0-9A-Za-z_-]+\n$/)
    const refused = await remitJson(cwd, ['client', 'create', 'ops.json', '--generate-key', 'k.json'])
    assert.equal(refused.value.error, 'conflict')
    const explained = await remitJson(cwd, ['explain', refused.value.request_id])
    assert.deepEqual([explained.code, explained.value.outcome], [0, 'refused'])
    const missing = await remit(cwd, ['client', 'show', 'nobody'])
    assert.doesNotMatch(missing.stderr, /Why:/, 'a look-up that finds nothing has no row to explain')
  })
})
