import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'
import { freeAddresses, remitJson, serve, workingDirectory } from './remit.ts'

/** Nobody answers there: TLS would end in front of the server. */
const ISSUER = 'https://idp.example.test'

describe('the command line against a production server', async () => {
  const [cwd, postgresDir] = [await workingDirectory(), await workingDirectory()]
  const postgres = await startEmbeddedPostgres(join(postgresDir, 'data'))
  after(() => postgres.stop())
  const { socketDir, port, user, database } = postgres
  const { env, admin_url } = await freeAddresses()
  await writeFile(join(cwd, 'kek'), `${'5a'.repeat(32)}\n`, { mode: 0o600 })
  await writeFile(join(cwd, 'one-time'), `${'x'.repeat(43)}\n`, { mode: 0o600 })
  const production = {
    ...env,
    NODE_ENV: 'production',
    REMIT_ISSUER: ISSUER,
    DATABASE_URL: `postgresql://${user}@localhost:${port}/${database}?host=${encodeURIComponent(socketDir)}`,
    REMIT_KEK_FILE: 'kek',
    REMIT_BOOTSTRAP_TOKEN_FILE: 'one-time',
  }
  const server = await serve(cwd, production)
  const init = ['init', '--token-file', 'one-time', '--admin-url', admin_url]

  test('serve says that there is no administrator yet', () => {
    const { pid } = server.child
    const listen = `127.0.0.1:${env.REMIT_PORT}`
    const bootstrap_token_file = join(cwd, 'one-time')
    assert.deepEqual(server.announced, { issuer: ISSUER, listen, admin_url, pid, bootstrap_token_file })
  })

  test('init --example is refused before anything is made', async () => {
    const { code, value } = await remitJson(cwd, [...init, '--example', '--url', ISSUER])
    assert.deepEqual([code, value.error], [1, 'example_refused'])
  })

  test('init without --url has the issuer from the server, whom nobody reaches by it yet', async () => {
    const { code, value, stderr } = await remitJson(cwd, init)
    assert.equal(code, 0, stderr)
    const { client_id } = value
    assert.deepEqual(value, { profile_file: 'data/cli.json', issuer: ISSUER, admin_url, client_id })
    assert.equal(JSON.parse(await readFile(join(cwd, 'data/cli.json'), 'utf8')).issuer, ISSUER)
    const example = await remitJson(cwd, [...init, '--example'])
    assert.deepEqual([example.code, example.value.error], [1, 'example_refused'])
  })

  test('init at a server that has its administrator names that server', async () => {
    const { code, value } = await remitJson(cwd, [...init, '--profile', 'other.json'])
    assert.deepEqual([code, value.error], [1, 'conflict'])
    assert.equal(value.message, `The admin API at ${admin_url}: Bootstrap was used and is closed for ever.`)
    assert.match(value.next, /--admin-url/)
  })

  test('serve says nothing of it once there is an administrator, and stops', async () => {
    server.child.kill('SIGTERM')
    assert.equal(await server.exit, 0)
    const again = await serve(cwd, production)
    assert.equal(again.announced.bootstrap_token_file, undefined)
    again.child.kill('SIGTERM')
    assert.equal(await again.exit, 0)
  })
})
