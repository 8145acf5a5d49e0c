import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { protect } from '../../src/verifier/adapters/node-http.ts'
import { refusalReporter } from '../../src/verifier/refusal-reporter.ts'
import { caller } from '../audit/given.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey, signProof } from '../support/dpop.ts'
import { accessToken, givenAdmin, givenClient, givenResource } from '../support/given.ts'

const app = await startTestApp()
const { issuer, clock } = app
const audience = 'https://api.example.com'

/** An API on a socket of its own, whose verifier tells a reporter what it refuses. */
const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`

const own = await givenClient(app, { kind: 'service', access: [{ resource: issuer, scope: 'report:refusals' }] })
await givenResource(app, { resource: audience, scopes: [{ name: 'read' }], client_id: own.client_id })
const holder = await generateKey()
const { x = '', y = '' } = own.key.jwk
const reporter = refusalReporter({
  ...{ issuer, now: clock.now, interval: 3600 },
  client: {
    client_id: own.client_id,
    key: { alg: 'ES256', privateKey: own.key.privateKey, publicJwk: { kty: 'EC', crv: 'P-256', x, y } },
  },
})
const guard = protect({ issuer, audience, publicUrl: url, now: clock.now, onRefusal: reporter.onRefusal })
server.on(
  'request',
  guard({ scope: ['read'] }, (_request, response) => response.end('{"page":7}')),
)

const client = await givenClient(app, { access: [{ resource: audience, scope: 'read' }] })

async function call(token: string, proof: string): Promise<number> {
  const response = await fetch(`${url}/pages/7`, { headers: { authorization: `DPoP ${token}`, dpop: proof } })
  await response.arrayBuffer()
  return response.status
}

test('[attack 38, 110] bursts of replayed proofs, expired and stolen tokens at an API show in metrics and trail, by reason only', async t => {
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const token = await accessToken(app, client, { resource: audience, scope: 'read' })
  const made = () =>
    signProof(client.dpopKey, { htm: 'GET', htu: `${url}/pages/7`, iat: clock.seconds(), accessToken: token })
  const first = await made()
  assert.equal(await call(token, first), 200)
  for (let n = 0; n < 5; n += 1) assert.equal(await call(token, first), 401)
  const foreign = await signProof(holder, {
    htm: 'GET',
    htu: `${url}/pages/7`,
    iat: clock.seconds(),
    accessToken: token,
  })
  assert.equal(await call(token, foreign), 401)
  clock.advance(400)
  for (let n = 0; n < 20; n += 1) assert.equal(await call(token, await made()), 401)
  await reporter.flush()

  const metrics = await (await fetch(`${app.adminUrl}/metrics`)).text()
  const lines = metrics.split('\n').filter(line => line.startsWith('remit_resource_refusals_total{'))
  const counts = [
    { reason: 'dpop_replayed', n: 5 },
    { reason: 'proof_by_another_key', n: 1 },
    { reason: 'exp_passed', n: 20 },
  ]
  const metric = ({ reason, n }: { reason: string; n: number }) =>
    `remit_resource_refusals_total{reason="${reason}"} ${n}`
  assert.deepEqual(lines, counts.map(metric))
  const admin = caller(app, await givenAdmin(app), 'admin')
  const { items } = (await admin('GET', '/admin/v1/audit?action=refusal.report')).body
  assert.ok(Array.isArray(items))
  assert.deepEqual(
    items.map(({ client_id, details }) => ({ client_id, resources: details.resources, counts: details.counts })),
    [{ client_id: own.client_id, resources: [audience], counts }],
  )
  // Neither whose token it was nor which.
  for (const secret of [client.client_id, token, first]) assert.ok(!JSON.stringify(items).includes(secret))
})
