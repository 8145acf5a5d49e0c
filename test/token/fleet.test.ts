import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { signKeyStatement } from '../../src/protocol/sign.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, type GivenClient, givenAgent, givenClient, givenResource } from '../support/given.ts'
import { type FleetProcess, startFleet } from './fleet/fleet.ts'

const API = 'https://api.example.com'
const FLEET = 20
const LIMIT_MS = 20_000

const app = await startTestApp()
await givenResource(app, { resource: API, scopes: [{ name: 'read' }] })
const client = await givenClient(app, {
  access: [
    { resource: API, scope: 'read' },
    { resource: app.issuer, scope: 'generate:intent-token register:intent' },
  ],
  policies: { agent_keys: 'endorsed' },
})
const grant = { access: [{ resource: API, scope: 'read' }] }
const planner = await givenAgent(app, client, 'planner', { grant })
const worker = await givenAgent(app, client, 'worker', { grant })

/** What the deployer hands a process: the client's token, and the statement for its key where it gets one. */
async function orderFor(agent: typeof planner, process: FleetProcess | undefined, key_statement?: string) {
  const scope = 'generate:intent-token'
  const access_token = await accessToken(app, client, { resource: app.issuer, scope, bearer: true })
  const { agent_id, checksum } = agent
  const statement = key_statement ?? (process && (await endorse(client, agent_id, process)))
  return {
    token_endpoint: `${app.issuer}/oauth/token`,
    access_token,
    ...(statement !== undefined && { key_statement: statement }),
    parameters: { grant_type: 'agent_checksum', agent_id, computed_checksum: checksum, scope: 'read', resource: API },
    iat: app.clock.seconds(),
  }
}

/** The deployer vouches for the public key of one process with the client's key. */
async function endorse({ client_id, key }: GivenClient, agent_id: string, { jwk }: FleetProcess): Promise<string> {
  const iat = app.clock.seconds()
  const publicJwk = (await importPublicJwk({ ...key.jwk })).jwk
  const { jkt } = await importPublicJwk({ ...jwk })
  return await signKeyStatement(
    { alg: key.alg, privateKey: key.privateKey, publicJwk },
    {
      iss: client_id,
      sub: `agent:${client_id}:${agent_id}`,
      aud: app.issuer,
      jkt,
      iat,
      exp: iat + 3_600,
      jti: randomUUID(),
    },
  )
}

function outcome({ status, body }: { status: number; body: Readonly<Record<string, unknown>> }) {
  return { status, error: body.error, ajwt_error: body.ajwt_error }
}

const MISMATCH = { status: 400, error: 'invalid_dpop_proof', ajwt_error: 'agent_key_mismatch' }

test('20 processes of one agent, each with a key of its own in memory, mint at once (section 4)', {
  timeout: LIMIT_MS,
}, async () => {
  const fleet = await startFleet(FLEET, LIMIT_MS)
  const orders = await Promise.all(fleet.map(process => orderFor(planner, process)))
  const results = await Promise.all(fleet.map((process, n) => process.mint(orders[n] ?? {})))

  assert.deepEqual(
    results.map(result => [result.status, result.claims?.cnf.jkt === result.jkt, result.claims?.agent_proof.key]),
    Array(FLEET).fill([200, true, 'endorsed']),
  )
  assert.equal(new Set(results.map(result => result.claims?.cnf.jkt)).size, FLEET)
  assert.equal(new Set(results.map(result => result.pid)).size, FLEET)
  const bound = await app.ctx.db
    .selectFrom('agent_key')
    .select(['jkt', 'agent_id', 'endorsed_by'])
    .where('source', '=', 'endorsed')
    .execute()
  const expected = results.map(({ jkt }) => ({ jkt, agent_id: 'planner', endorsed_by: client.key.jkt }))
  const byJkt = (a: { jkt: string }, b: { jkt: string }) => (a.jkt < b.jkt ? -1 : 1)
  assert.deepEqual(bound.toSorted(byJkt), expected.toSorted(byJkt))
})

test('a stolen statement without its key, or for another agent, mints nothing; nor does any once its signer is gone', {
  timeout: LIMIT_MS,
}, async () => {
  const [victim, thief, other, late] = await startFleet(4, LIMIT_MS)
  assert.ok(victim && thief && other && late)
  const order = await orderFor(planner, victim)
  assert.equal((await victim.mint(order)).status, 200)
  assert.deepEqual(outcome(await thief.mint(await orderFor(planner, undefined, order.key_statement))), MISMATCH)

  const forWorker = await endorse(client, worker.agent_id, other)
  assert.deepEqual(outcome(await other.mint(await orderFor(planner, undefined, forWorker))), MISMATCH)

  const lateOrder = await orderFor(planner, late)
  const { jwk } = planner.key
  await app.ctx.db
    .updateTable('client')
    .set({ jwks: JSON.stringify({ keys: [jwk] }) })
    .where('client_id', '=', client.client_id)
    .execute()
  assert.deepEqual(outcome(await late.mint(lateOrder)), MISMATCH)
})
