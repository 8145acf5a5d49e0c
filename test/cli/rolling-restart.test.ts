import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CLIENT_CREDENTIALS_GRANT } from '../../src/protocol/grant-types.ts'
import { API, insertClients, SECRET } from '../attacks/inserted.ts'
import { forge, testKey } from '../protocol/forge.ts'
import { startBalancer } from '../support/balancer.ts'
import { createTestDatabase } from '../support/database.ts'
import { databaseUrl } from '../support/database-url.ts'
import { freshRequest } from '../support/fresh-request.ts'
import { startLoad } from '../support/steady-load.ts'
import { freeAddresses, serve, workingDirectory } from './remit.ts'

/** The long form, at 300 a second, is the fault suite's. */
const RATE = { perSecond: 100, atOnce: 6 }
const POLL_MS = 20

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, POLL_MS))
}

test('a rolling restart of two nodes behind a balancer that never tries twice: no 5xx, no reset (R7)', async () => {
  const cwd = await workingDirectory()
  const database = await createTestDatabase()
  after(() => database.drop())
  const addresses = [await freeAddresses(), await freeAddresses()] as const
  const ports = addresses.map(({ env }) => Number(env.REMIT_PORT))
  await writeFile(join(cwd, 'kek'), `${'5a'.repeat(32)}\n`, { mode: 0o600 })
  const { issuer } = addresses[0]
  const common = {
    DATABASE_URL: databaseUrl(database.connection),
    REMIT_ISSUER: issuer,
    REMIT_KEK_FILE: 'kek',
    REMIT_DRAIN_SECONDS: '1',
    REMIT_LOG_LEVEL: 'warn',
  }
  // One node of one process, one of two.
  const start = (node: 0 | 1) => serve(cwd, { ...common, ...addresses[node].env, REMIT_WORKERS: String(node + 1) })
  const nodes = await Promise.all([start(0), start(1)])
  await insertClients(database.db, issuer)

  const balancer = await startBalancer(ports)
  const agent = new Agent({ keepAlive: true })
  const key = testKey('ES256')
  const mint = async () => {
    const payload = { jti: randomUUID(), htm: 'POST', htu: `${issuer}/oauth/token`, iat: Math.floor(Date.now() / 1000) }
    const headers = {
      host: new URL(issuer).host,
      authorization: `Basic ${Buffer.from(`app:${SECRET}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      dpop: forge({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk }, payload, key),
    }
    const body = String(new URLSearchParams({ grant_type: CLIENT_CREDENTIALS_GRANT, scope: 'read', resource: API }))
    return await freshRequest(`${balancer.url}/oauth/token`, { method: 'POST', headers, body }, agent)
  }
  const load = startLoad(mint, RATE)
  const sendMore = async () => {
    const sentBefore = load.sent()
    await until(() => load.sent() > sentBefore + 25)
  }
  for (const node of [0, 1] as const) {
    await sendMore()
    nodes[node].child.kill('SIGTERM')
    assert.equal(await nodes[node].exit, 0)
    // The first serves again before the second goes; what comes after that is the same once more.
    if (node === 1) break
    nodes[node] = await start(node)
    await until(() => balancer.sendsTo(Number(ports[node])))
  }
  await sendMore()
  const { sent, outcomes } = await load.stop()
  agent.destroy()
  await balancer.close()
  assert.deepEqual(outcomes, { 200: sent })
  nodes[0].child.kill('SIGTERM')
  await nodes[0].exit
})
