import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { auditRowSchema } from '../../src/protocol/audit-views.ts'
import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'
import { exchange, form } from '../attacks/attempt.ts'
import { generateKey, signJws, signProof } from '../support/dpop.ts'
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
  const proofKey = await generateKey()
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

  test('admin recover by two people makes an administrator, and is the end of the one before (section 11)', async () => {
    const lost = JSON.parse(await readFile(join(cwd, 'data/cli.json'), 'utf8'))
    const recover = ['admin', 'recover', '--owner', 'user:local:ben', '--revoke-others', '--profile', 'ben.json']
    const alone = await remitJson(cwd, recover, production)
    assert.deepEqual([alone.code, alone.value.error], [2, 'usage'])
    const { code, value, stderr } = await remitJson(cwd, [...recover, '--witness', 'user:local:eve'], production)
    assert.equal(code, 0, stderr)
    assert.deepEqual(value, { client_id: value.client_id, revoked: [lost.client_id], profile_file: 'ben.json' })
    const found = JSON.parse(await readFile(join(cwd, 'ben.json'), 'utf8'))
    const { private_jwk: _, ...named } = found
    assert.deepEqual(named, { issuer: ISSUER, admin_url, client_id: value.client_id })
    const refused = await askToken(lost)
    assert.deepEqual([refused.status, refused.body.error], [401, 'invalid_client'])
    const { status, body } = await askToken(found)
    assert.equal(status, 200)
    const rows = await recoveries(String(body.access_token))
    assert.deepEqual(
      rows.map(({ details }) => details),
      [{ owner: 'user:local:ben', witness: 'user:local:eve', revoked: [lost.client_id] }],
    )
  })

  /** A token for the trail, asked for where TLS would end. */
  async function askToken({ client_id, private_jwk }: { client_id: string; private_jwk: JWK }) {
    const privateKey = await importJWK(private_jwk, 'ES256')
    assert.ok(privateKey instanceof CryptoKey)
    const iat = Math.floor(Date.now() / 1000)
    const sent = {
      ...{ grant_type: 'client_credentials', resource: `${ISSUER}/admin`, scope: 'audit:read' },
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signJws(
        { alg: 'ES256', privateKey },
        { typ: 'client-authentication+jwt' },
        { iss: client_id, sub: client_id, aud: ISSUER, iat, exp: iat + 60, jti: randomUUID() },
      ),
    }
    const htu = `${ISSUER}/oauth/token`
    const headers = ['Host', new URL(ISSUER).host, 'Content-Type', 'application/x-www-form-urlencoded']
    const dpop = await signProof(proofKey, { htu, iat })
    return await exchange(Number(env.REMIT_PORT), '/oauth/token', [...headers, 'DPoP', dpop], form(sent))
  }

  async function recoveries(accessToken: string) {
    const url = `${admin_url}/admin/v1/audit`
    const proof = { htm: 'GET', htu: url, iat: Math.floor(Date.now() / 1000), accessToken }
    const headers = { authorization: `DPoP ${accessToken}`, dpop: await signProof(proofKey, proof) }
    const answer = await fetch(`${url}?action=admin.recover`, { headers })
    return z.object({ items: z.array(auditRowSchema) }).parse(await answer.json()).items
  }

  test('serve says nothing of it once there is an administrator, and stops', async () => {
    server.child.kill('SIGTERM')
    assert.equal(await server.exit, 0)
    const again = await serve(cwd, production)
    assert.equal(again.announced.bootstrap_token_file, undefined)
    again.child.kill('SIGTERM')
    assert.equal(await again.exit, 0)
  })
})
