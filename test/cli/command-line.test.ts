import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { calculateJwkThumbprint } from 'jose'
import { freeAddresses, remit, remitJson, run, workingDirectory } from './remit.ts'

const BIN = new URL('../../bin/', import.meta.url)

test('a Node before 22.18 is told in one sentence what to do', async () => {
  const { olderNodeMessage } = await import(new URL('node-version.js', BIN).href)
  for (const version of ['22.18.0', '22.19.1', '24.0.0', '26.10.0']) assert.equal(olderNodeMessage(version), undefined)
  for (const version of ['18.20.0', '20.20.2', '22.17.9']) {
    assert.match(olderNodeMessage(version), /^Remit needs Node 22\.18 or newer and this is .*"npm start".*install Node/)
  }
})

test('bin/remit.js ends with 1 on an older Node, before it loads anything else', async () => {
  const cwd = await workingDirectory()
  const pretend = join(cwd, 'pretend.mjs')
  await writeFile(pretend, "Object.defineProperty(process, 'versions', { value: { node: '20.20.2' } })")
  const bin = new URL('remit.js', BIN).pathname
  const result = await run(process.execPath, ['--import', pathToFileURL(pretend).href, bin, '--help'], { cwd })
  assert.equal(result.code, 1)
  assert.equal(result.stdout, '')
  assert.match(result.stderr, /^Remit needs Node 22\.18 or newer and this is 20\.20\.2: [^\n]+\n$/)
})

test('wrong usage ends with 2 and, with --json, still one JSON value', async () => {
  const cwd = await workingDirectory()
  const wrong = [
    ['nonsense'],
    ['revoke', 'nothing', 'x', '--reason', 'y'],
    ['token', 'mint', '--client', 'a', '--scope', 'b', '--resource', 'https://c.test'],
    ['agent', 'create', 'f', '--client', 'a', '--client-key', 'k', '--secret-file', 's'],
    ['audit', 'tail', '--limit', '0'],
  ]
  const results = await Promise.all(wrong.map(args => remitJson(cwd, args)))
  for (const { code, value } of results) {
    assert.equal(code, 2)
    assert.deepEqual({ ok: value.ok, error: value.error }, { ok: false, error: 'usage' })
  }
})

test('the command line explains itself with --help', async () => {
  const cwd = await workingDirectory()
  const { code, stdout } = await remit(cwd, ['--help'])
  assert.equal(code, 0)
  const commands = ['serve', 'migrate', 'init', 'doctor', 'client', 'resource', 'agent', 'workflow', 'token', 'revoke']
  for (const name of [...commands, 'audit', 'openapi']) assert.match(stdout, new RegExp(`^  ${name} `, 'm'))
  const create = await remit(cwd, ['client', 'create', '--help'])
  assert.match(create.stdout, /^Usage: remit client create .*[\s\S]*--secret-file[\s\S]*--json[\s\S]*for example:/)
  const revoke = await remit(cwd, ['revoke', '--help'])
  for (const kind of ['token', 'registration', 'agent', 'client', 'execution', 'workflow', 'initiator', 'key']) {
    assert.match(revoke.stdout, new RegExp(`^  ${kind} `, 'm'))
  }
  assert.match(revoke.stdout, /--reason <text> .*\(required\)/)
})

test('a configuration that is refused ends with 78 and names every problem', async () => {
  const cwd = await workingDirectory()
  for (const command of ['serve', 'migrate']) {
    const { code, value } = await remitJson(cwd, [command], { REMIT_PORT: 'x', REMIT_ISSUR: 'y' })
    assert.equal(code, 78)
    assert.equal(value.error, 'configuration')
    assert.match(value.message, /REMIT_ISSUR is not a setting.*\n.*REMIT_PORT must be a number/)
  }
})

test('a command without a profile or a server says what to do next', async () => {
  const cwd = await workingDirectory()
  const { issuer, admin_url } = await freeAddresses()
  const withoutProfile = await remitJson(cwd, ['client', 'list'])
  assert.equal(withoutProfile.code, 1)
  assert.equal(withoutProfile.value.error, 'no_profile')
  assert.match(withoutProfile.value.next, /remit init/)
  await writeFile(join(cwd, 'token'), 'x'.repeat(43))
  const withoutServer = await remitJson(cwd, ['init', '--token-file', 'token', '--admin-url', admin_url])
  assert.equal(withoutServer.value.error, 'unreachable')
  assert.match(withoutServer.value.next, /npm start.*--admin-url/)
  assert.equal(existsSync(join(cwd, 'data', 'cli.json')), false)
  const withoutToken = await remitJson(cwd, ['init', '--url', issuer])
  assert.equal(withoutToken.value.error, 'no_bootstrap_token')
})

test('the data directory is that of the server: --data-dir, else the environment, else .env, else ./data', async () => {
  const cwd = await workingDirectory()
  const missing = async (args: string[], env: Record<string, string>) =>
    (await remitJson(cwd, ['client', 'list', ...args], { REMIT_UNKNOWN: 'x', ...env })).value.message
  assert.equal(await missing([], {}), 'There is no profile at data/cli.json.')
  await writeFile(join(cwd, '.env'), 'REMIT_DATA_DIR=in-file\nREMIT_PORT=no-number\n')
  assert.equal(await missing([], {}), 'There is no profile at in-file/cli.json.')
  assert.equal(await missing([], { REMIT_DATA_DIR: 'in-env' }), 'There is no profile at in-env/cli.json.')
  const named = await missing(['--data-dir', 'named'], { REMIT_DATA_DIR: 'in-env' })
  assert.equal(named, 'There is no profile at named/cli.json.')
})

test('the addresses of the server on this machine are those of its environment: variables, else .env, else the defaults', async () => {
  const cwd = await workingDirectory()
  const { issuer, admin_url } = await freeAddresses()
  await writeFile(join(cwd, 'token'), 'x'.repeat(43))
  await writeFile(join(cwd, '.env'), `REMIT_ADMIN_LISTEN=${new URL(admin_url).host}\n`)
  const init = ['init', '--token-file', 'token']
  const message = `The admin API at ${admin_url}: No server answers at ${admin_url}.`
  assert.equal((await remitJson(cwd, init, { REMIT_UNKNOWN: 'x' })).value.message, message)
  const shared = { REMIT_PORT: new URL(issuer).port, REMIT_ADMIN_LISTEN: 'same' }
  assert.match((await remitJson(cwd, init, shared)).value.message, new RegExp(`^The admin API at ${issuer}:`))
  const list = ['agent', 'key', 'list', 'app', 'greeter']
  assert.equal((await remitJson(cwd, list, shared)).value.message, `No server answers at ${issuer}.`)
  const wrong = await remitJson(cwd, list, { REMIT_PORT: 'x' })
  assert.deepEqual([wrong.code, wrong.value.error], [78, 'configuration'])
})

test('keygen makes a key in a new file, and its public half for whoever vouches for it', async () => {
  const cwd = await workingDirectory()
  const { code, value } = await remitJson(cwd, ['keygen', 'process-key.json', '--public', 'process.json'])
  const read = async (name: string) => JSON.parse(await readFile(join(cwd, name), 'utf8'))
  const { d, alg, ...jwk } = await read('process-key.json')
  assert.deepEqual([typeof d, alg, await read('process.json')], ['string', 'ES256', jwk])
  const jkt = await calculateJwkThumbprint(jwk)
  assert.deepEqual(value, { key_file: 'process-key.json', public_file: 'process.json', jkt, jwk })
  assert.deepEqual([code, (await stat(join(cwd, 'process-key.json'))).mode & 0o777], [0, 0o600])
  const again = await remitJson(cwd, ['keygen', 'process-key.json'])
  assert.deepEqual([again.code, again.value.error], [1, 'file_exists'])
  const half = await remitJson(cwd, ['keygen', 'other.json', '--public', 'process.json'])
  assert.deepEqual([half.value.error, existsSync(join(cwd, 'other.json'))], ['file_exists', false])
  const args = ['agent', 'key', 'endorse', 'my-app', 'planner', 'process.json', '--client-key', 'process-key.json']
  assert.equal((await remitJson(cwd, args)).code, 0)
})

test('doctor names each wrong setting and ends with 1', async () => {
  const { code, value } = await remitJson(await workingDirectory(), ['doctor'], { REMIT_PORT: '0', REMIT_X: '1' })
  assert.equal(code, 1)
  assert.deepEqual(
    value.checks.map((check: { name: string; status: string }) => [check.name, check.status]),
    [
      ['node', 'ok'],
      ['configuration', 'fail'],
      ['configuration', 'fail'],
    ],
  )
})

test('doctor finds an open data directory, an open key file and a lost database, and makes nothing', async () => {
  const cwd = await workingDirectory()
  const { env } = await freeAddresses()
  await mkdir(join(cwd, 'data'))
  await writeFile(join(cwd, 'data', 'kek'), `${'ab'.repeat(32)}\n`)
  await chmod(join(cwd, 'data', 'kek'), 0o644)
  await chmod(join(cwd, 'data'), 0o777)
  const nowhere = { ...env, DATABASE_URL: `postgres://remit@127.0.0.1:${env.REMIT_PORT}/remit` }
  const { code, value } = await remitJson(cwd, ['doctor'], nowhere)
  assert.equal(code, 1)
  const findings = new Map<string, { status: string; message: string }>()
  for (const check of value.checks) findings.set(check.name, check)
  assert.match(findings.get('data directory')?.message ?? '', /run chmod go-w/)
  assert.match(findings.get('key-encryption key')?.message ?? '', /run chmod 600/)
  assert.match(findings.get('database')?.message ?? '', /cannot be used \(ECONNREFUSED\): see that it runs/)
  assert.equal(findings.get('issuer')?.status, 'warn')
})

test('doctor on an empty directory is well, and the directory stays empty', async () => {
  const cwd = await workingDirectory()
  const { env } = await freeAddresses()
  const { code, value } = await remitJson(cwd, ['doctor'], env)
  assert.equal(code, 0)
  assert.equal(value.ok, true)
  const again = await remitJson(cwd, ['doctor'], { ...env, NODE_ENV: 'test' })
  assert.match(again.value.checks[2].message, /does not exist yet/)
})

test('decode reads a token and says that it is not verified; a text that is none is refused', async () => {
  const cwd = await workingDirectory()
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = `${part({ alg: 'ES256', typ: 'at+jwt' })}.${part({ sub: 'somebody' })}.AAAA`
  const { value, stderr } = await remitJson(cwd, ['token', 'decode', '-'], {}, `${token}\n`)
  const expected = { verified: false, header: { alg: 'ES256', typ: 'at+jwt' }, payload: { sub: 'somebody' } }
  assert.deepEqual(value, expected)
  assert.match(stderr, /Not verified/)
  const refused = await remitJson(cwd, ['token', 'decode', 'no-token'])
  assert.deepEqual([refused.code, refused.value.error], [1, 'token_malformed'])
})
