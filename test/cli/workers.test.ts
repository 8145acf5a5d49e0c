import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { importJWK } from 'jose'
import pg from 'pg'
import { isAlive } from '../../src/server/store/embedded-shutdown.ts'
import { GATE_LOCK } from '../../src/server/store/gate.ts'
import { TURN_LOCK } from '../../src/server/store/turn.ts'
import { createTestDatabase } from '../support/database.ts'
import { databaseUrl } from '../support/database-url.ts'
import { signAssertion, signProof } from '../support/dpop.ts'
import { freshRequest, oneConnection } from '../support/fresh-request.ts'
import { freeAddresses, type LogLine, remitJson, serve, workingDirectory } from './remit.ts'

const POLL_MS = 20

/** Tries again until it holds; the test's own limit ends it where it never does. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, POLL_MS))
}

const isListening = ({ msg }: LogLine) => String(msg).startsWith('Server listening')

/** Asks for a token as the client that `init` has made. */
async function minter(cwd: string, issuer: string) {
  const { client_id, private_jwk } = JSON.parse(await readFile(join(cwd, 'data/cli.json'), 'utf8'))
  const privateKey = await importJWK(private_jwk, 'ES256')
  assert.ok(!(privateKey instanceof Uint8Array))
  const { kty, crv, x, y } = private_jwk
  const key = { alg: 'ES256', privateKey, jwk: { kty, crv, x, y }, jkt: '' }
  const htu = `${issuer}/oauth/token`
  const iat = () => Math.floor(Date.now() / 1000)
  return async (nonce: string | undefined) => {
    const params = {
      ...{ grant_type: 'client_credentials', scope: 'audit:read', resource: `${issuer}/admin` },
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signAssertion(key, { client_id, issuer, iat: iat() }),
    }
    const dpop = await signProof(key, { htu, iat: iat(), ...(nonce !== undefined && { nonce }) })
    const headers = { dpop, 'content-type': 'application/x-www-form-urlencoded' }
    return await freshRequest(htu, { method: 'POST', headers, body: String(new URLSearchParams(params)) })
  }
}

describe('a server of two workers', { timeout: 120_000 }, async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const server = await serve(cwd, { ...env, REMIT_WORKERS: '2' })
  const workers = () => [
    ...new Set(
      server
        .log()
        .filter(isListening)
        .map(({ pid }) => Number(pid)),
    ),
  ]
  /** Who answered the requests of a route. */
  const servedBy = (route: string) =>
    new Set(server.log().flatMap(line => (line.route === route && line.msg === 'request' ? [line.pid] : [])))
  const metric = async (name: string) => {
    const { body } = await freshRequest(`${admin_url}/metrics`)
    return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(body)?.[1])
  }

  test('both listen on both ports, and what is announced is the process that was started', async () => {
    // The log and what is announced come by two pipes.
    await until(() => workers().length === 2)
    assert.ok(!workers().includes(Number(server.child.pid)))
    assert.equal(server.announced.pid, server.child.pid)
  })

  test('sign-in, DPoP nonces and sessions of the console hold whichever worker answers (issue 6)', async () => {
    assert.equal((await remitJson(cwd, ['init', '--url', issuer, '--admin-url', admin_url])).code, 0)
    const mint = await minter(cwd, issuer)
    // Each nonce is of one worker and goes back on a new connection, which is the other's turn.
    let nonce: string | undefined
    for (let round = 0; round < 6; round += 1) {
      const answer = await mint(nonce)
      assert.equal(answer.status, 200, answer.body)
      nonce = String(answer.headers['dpop-nonce'])
    }
    await until(() => servedBy('/oauth/token').size === 2)

    const link = await remitJson(cwd, ['console'])
    const page = { origin: admin_url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }
    const code = JSON.stringify({ code: String(link.value.url).split('#code=')[1] })
    const opened = { method: 'POST', headers: { ...page, 'x-remit-console': '1' }, body: code }
    const session = await freshRequest(`${admin_url}/console/session`, opened)
    assert.equal(session.status, 200, session.body)
    const again = await freshRequest(`${admin_url}/console/session`, opened)
    assert.equal(again.status, 401, 'a link works once, at whichever worker')
    const cookie = String(session.headers['set-cookie']?.[0]).split(';')[0] ?? ''
    const signedIn = { headers: { ...page, cookie, 'x-remit-console': JSON.parse(session.body).marker } }
    const kept = oneConnection()
    for (const agent of [false, false, false, false, kept, kept] as const) {
      const list = await freshRequest(`${admin_url}/admin/v1/clients`, signedIn, agent)
      assert.equal(list.status, 200, list.body)
    }
    kept.destroy()
    await until(() => servedBy('/admin/v1/clients').size === 2)
  })

  test('the workers of a node take turns at writing (ADR 26)', async () => {
    const client = new pg.Client({ host: join(cwd, 'data', 'postgres-socket'), user: 'remit', database: 'remit' })
    await client.connect()
    const turns = async () => {
      const { rows } = await client.query("select granted from pg_locks where locktype = 'advisory' and classid = $1", [
        TURN_LOCK,
      ])
      return rows.map(({ granted }) => granted)
    }
    const mint = await minter(cwd, issuer)
    const { headers } = await mint(undefined)
    const nonce = String(headers['dpop-nonce'])
    // Whoever has the turn waits at the gate with it.
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [GATE_LOCK])
    const answers = Array.from({ length: 8 }, () => mint(nonce))
    await until(async () => (await turns()).includes(true))
    await client.query('commit')
    for (const { status, body } of await Promise.all(answers)) assert.ok([200, 503].includes(status), body)
    await client.end()
  })

  test('/metrics of any worker is the sum of all', async () => {
    const counted = 'remit_requests_total{route="/healthz",status="200"}'
    for (let n = 0; n < 7; n += 1) await freshRequest(`${issuer}/healthz`)
    await until(() => servedBy('/healthz').size === 2)
    for (let n = 0; n < 4; n += 1) assert.equal(await metric(counted), 7)
    await until(() => servedBy('/metrics').size === 2)
    const { body } = await freshRequest(`${admin_url}/metrics`)
    assert.equal(body.match(/^remit_db_pool_connections\{state="total"\}/gm)?.length, 1)
  })

  test('kill -9 of one: the other answers meanwhile, another comes, no count is lost, also beside a newer schema', async () => {
    const [killed = 0, other] = workers()
    const data = join(cwd, 'data')
    const client = new pg.Client({ host: join(data, 'postgres-socket'), user: 'remit', database: 'remit' })
    await client.connect()
    // As the release after this one leaves it: this node goes on, and so does a worker that it starts again.
    await client.query("insert into kysely_migration values ('999_of_the_next_release', '2027-01-01')")
    await client.end()
    process.kill(killed, 'SIGKILL')
    await until(
      () => !isAlive(killed) && server.log().some(({ msg, worker }) => msg === 'a worker ended' && worker === killed),
    )
    for (let n = 0; n < 8; n += 1) {
      const answer = await freshRequest(`${issuer}/readyz`)
      assert.equal(answer.status, 200, answer.body)
    }
    await until(() => workers().length === 3)
    assert.equal(await metric('remit_worker_deaths_total'), 1)
    assert.equal(await metric('remit_requests_total{route="/healthz",status="200"}'), 7)
    for (let n = 0; n < 4; n += 1) assert.equal((await freshRequest(`${issuer}/readyz`)).status, 200)
    await until(() => servedBy('/readyz').size === 2)
    assert.ok(isAlive(Number(other)))
  })

  test('SIGTERM to all, as a process group gets it, stops in order: exit 0, one JSON value in its whole life', async () => {
    const live = workers().filter(isAlive)
    for (const pid of live) process.kill(pid, 'SIGTERM')
    // When a node stops is the primary's to say: both go on.
    for (let n = 0; n < 4; n += 1) assert.equal((await freshRequest(`${issuer}/healthz`)).status, 200)
    assert.deepEqual(live.filter(isAlive), live)
    server.child.kill('SIGTERM')
    assert.equal(await server.exit, 0, await server.stderr)
    assert.equal(server.stdout().trimEnd().split('\n').length, 1)
    assert.deepEqual(live.filter(isAlive), [])
    const wrong = server.log().filter(({ level, worker }) => Number(level) >= 50 && worker === undefined)
    assert.deepEqual(wrong, [])
  })
})

describe('several workers on a database of their own', { timeout: 120_000 }, async () => {
  const cwd = await workingDirectory()
  const { env, issuer } = await freeAddresses()
  const database = await createTestDatabase()
  after(() => database.drop())
  const several = { ...env, DATABASE_URL: databaseUrl(database.connection), REMIT_WORKERS: '2' }

  test('that cannot listen end the start with the sentence of a single process', async () => {
    const taken = createServer()
    await new Promise<void>(resolve => taken.listen(Number(env.REMIT_PORT), '127.0.0.1', resolve))
    const { code, value } = await remitJson(cwd, ['serve'], several)
    await new Promise(resolve => taken.close(resolve))
    const sentence = `Port ${env.REMIT_PORT} cannot be listened on (EADDRINUSE).`
    assert.deepEqual([code, value.error, value.message], [1, 'start_failed', sentence])
  })

  test('end with a primary that was killed: nobody serves whom nobody can stop', async () => {
    const server = await serve(cwd, several)
    const workers = () => new Set(server.log().flatMap(line => (isListening(line) ? [Number(line.pid)] : [])))
    await until(() => workers().size === 2)
    server.child.kill('SIGKILL')
    await until(() => ![...workers()].some(isAlive))
    await assert.rejects(freshRequest(`${issuer}/healthz`))
  })
})
