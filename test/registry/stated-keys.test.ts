import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { sql } from 'kysely'
import { importPublicJwk } from '../../src/protocol/jwk.ts'
import { signKeyStatement } from '../../src/protocol/sign.ts'
import { transaction } from '../../src/server/context.ts'
import { statedKeys } from '../../src/server/registry/key-statements.ts'
import { findAgentKeys } from '../../src/server/store/agent-keys.ts'
import { findClient } from '../../src/server/store/clients.ts'
import { enterGateShared } from '../../src/server/store/gate.ts'
import { givenServer } from '../fetch/given.ts'
import { forge, type TestKey, testKey } from '../protocol/forge.ts'
import { startTestApp } from '../support/app.ts'
import { accessToken, boundHeaders, type GivenClient, givenAgent, givenClient } from '../support/given.ts'
import { jsonOf } from '../support/json-of.ts'

const app = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: '1' } })
const { ctx, clock, issuer } = app
const SCOPE = 'register:intent'

type Setting = { readonly client: GivenClient; readonly key: TestKey; readonly client_id: string }

async function setting(policies: object = {}): Promise<Setting> {
  const access = [{ resource: issuer, scope: `${SCOPE} read:agents` }]
  const client = await givenClient(app, { access, policies })
  const key = testKey('ES256')
  await givenAgent(app, client, 'planner', { public_key: key.jwk })
  return { client, key, client_id: client.client_id }
}

async function jktOf({ jwk }: Pick<TestKey, 'jwk'>): Promise<string> {
  return (await importPublicJwk(jwk)).jkt
}

async function statement({ client_id, key }: Setting, added: TestKey, over: object = {}, by = key): Promise<string> {
  const sub = `agent:${client_id}:planner`
  const iat = clock.seconds()
  const claims = { iss: sub, sub, aud: issuer, jkt: await jktOf(added), iat, exp: iat + 300, jti: randomUUID() }
  return forge({ alg: by.alg, typ: 'agent-key+jwt', kid: await jktOf(by) }, { ...claims, ...over }, by)
}

async function call(client: GivenClient, method: string, path: string, body?: unknown, headers = {}, scope = SCOPE) {
  const token = await accessToken(app, client, { resource: issuer, scope })
  const url = `${issuer}${path}`
  const bound = await boundHeaders(app, client, token, { method, url })
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const init = {
    method,
    headers: { ...bound, ...type, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }
  const response = await fetch(url, init)
  return { status: response.status, body: await jsonOf(response), headers: response.headers }
}

async function add(of: Setting, added: TestKey, key_statement: string) {
  return await call(of.client, 'POST', `/intent/agents/${of.client_id}/planner/keys`, { jwk: added.jwk, key_statement })
}

async function held({ client_id }: Setting): Promise<string[]> {
  return (await findAgentKeys(ctx, client_id, 'planner')).map(key => key.jkt)
}

/** Of the one act on a key since this was last asked. */
async function lastAudit() {
  const rows = await ctx.db
    .deleteFrom('audit_event')
    .where('action', 'in', ['agent_key.add', 'agent_key.remove'])
    .returning(['action', 'outcome', 'reason', 'client_id', 'agent_id'])
    .execute()
  assert.equal(rows.length, 1)
  return rows[0]
}

async function forgetAudit(): Promise<void> {
  await ctx.db.deleteFrom('audit_event').execute()
}

function mismatch({ status, body, headers }: Awaited<ReturnType<typeof call>>) {
  const { error, ajwt_error } = body
  return { status, error, ajwt_error, challenged: headers.get('www-authenticate')?.includes('DPoP') }
}
const MISMATCH = {
  status: 401,
  error: 'invalid_dpop_proof',
  ajwt_error: 'agent_key_mismatch',
  challenged: true,
}

test('a statement by a registered key adds a key at once, and it may remove one (section 4)', async () => {
  const of = await setting()
  const added = testKey('EdDSA')
  const jkt = await jktOf(added)
  await forgetAudit()
  const answer = await add(of, added, await statement(of, added))
  const added_at = clock.now().toISOString()
  const expected = { jkt, source: 'registered', added_at, expires_at: null, endorsed_by: null }
  assert.deepEqual([answer.status, answer.body], [201, expected])
  assert.deepEqual(await held(of), [await jktOf(of.key), jkt].sort())
  const audit = { outcome: 'success', reason: null, client_id: of.client_id, agent_id: 'planner' }
  assert.deepEqual(await lastAudit(), { action: 'agent_key.add', ...audit })

  const path = `/intent/agents/${of.client_id}/planner/keys/${await jktOf(of.key)}`
  const removed = await call(of.client, 'DELETE', path)
  assert.deepEqual([removed.status, removed.body], [200, { jkt: await jktOf(of.key), endorsed_keys: 0 }])
  assert.deepEqual(await lastAudit(), { action: 'agent_key.remove', ...audit })
  assert.deepEqual(await held(of), [jkt])
  assert.equal((await call(of.client, 'DELETE', path)).status, 404)
  const other = testKey('ES256')
  assert.deepEqual(mismatch(await add(of, other, await statement(of, other))), MISMATCH)
})

test('[attack 83] a statement by another key is 401 and adds nothing (section 4)', async () => {
  const of = await setting()
  const added = testKey('ES256')
  const stranger = testKey('ES256')
  const iat = clock.seconds()
  const rows: readonly [statement: string, reason: string][] = [
    [await statement(of, added, {}, stranger), 'statement_signer'],
    // The new key vouches for itself.
    [await statement(of, added, {}, added), 'statement_signer'],
    [await statement(of, stranger), 'statement_jkt'],
    [await statement(of, added, { sub: `agent:${of.client_id}:worker` }), 'statement_subject'],
    [await statement(of, added, { exp: iat + 301 }), 'lifetime_too_long'],
    [await statement(of, added, { iat: iat - 300, exp: iat }), 'exp_passed'],
    ['no-statement', 'malformed_jws'],
  ]
  await forgetAudit()
  for (const [text, reason] of rows) {
    assert.deepEqual(mismatch(await add(of, added, text)), MISMATCH, reason)
    const audit = { outcome: 'refused', reason, client_id: of.client_id, agent_id: 'planner' }
    assert.deepEqual(await lastAudit(), { action: 'agent_key.add', ...audit })
  }
  assert.deepEqual(await held(of), [await jktOf(of.key)])
})

test('a statement is taken once where it registers a key (section 4)', async () => {
  const of = await setting()
  const added = testKey('ES256')
  const text = await statement(of, added)
  assert.equal((await add(of, added, text)).status, 201)
  await forgetAudit()
  assert.deepEqual(mismatch(await add(of, added, text)), MISMATCH)
  assert.equal((await lastAudit())?.reason, 'statement_replayed')
})

test('the client’s key vouches under policy agent_keys "endorsed" only (section 4)', async () => {
  for (const [agent_keys, status] of [
    ['endorsed', 201],
    ['registered', 401],
  ] as const) {
    const of = await setting({ agent_keys })
    const added = testKey('ES256')
    const { alg, jkt, privateKey } = of.client.key
    const iat = clock.seconds()
    const key = { alg, privateKey, publicJwk: (await importPublicJwk({ ...of.client.key.jwk })).jwk }
    const text = await signKeyStatement(key, {
      iss: of.client_id,
      sub: `agent:${of.client_id}:planner`,
      aud: issuer,
      jkt: await jktOf(added),
      iat,
      exp: iat + 60,
      jti: randomUUID(),
    })
    assert.equal((await add(of, added, text)).status, status, jkt)
  }
})

test('an agent has at most 16 registered keys (section 4)', async () => {
  const of = await setting()
  for (let n = 1; n < 16; n += 1) {
    const added = testKey('Ed25519')
    assert.equal((await add(of, added, await statement(of, added))).status, 201)
  }
  await forgetAudit()
  const added = testKey('Ed25519')
  const { status, body } = await add(of, added, await statement(of, added))
  assert.deepEqual([status, body.error, (await lastAudit())?.reason], [400, 'invalid_request', 'too_many_keys'])
  assert.equal((await held(of)).length, 16)
})

test('keys are added and removed by the client that has the agent, or registers for it (section 4)', async () => {
  const of = await setting()
  const rival = await setting()
  const added = testKey('ES256')
  const path = `/intent/agents/${of.client_id}/planner/keys`
  const body = { jwk: added.jwk, key_statement: await statement(of, added) }
  const foreign = await call(rival.client, 'POST', path, body)
  assert.deepEqual([foreign.status, foreign.body.error], [400, 'unauthorized_client'])
  assert.equal((await call(rival.client, 'DELETE', `${path}/${await jktOf(of.key)}`)).status, 404)
  assert.deepEqual(await held(of), [await jktOf(of.key)])
  const access = [{ resource: issuer, scope: SCOPE }]
  const deployer = await givenClient(app, { access, registers_for: [of.client_id] })
  assert.equal((await call(deployer, 'POST', path, body)).status, 201)
  assert.equal((await call(deployer, 'DELETE', `${path}/${await jktOf(added)}`)).status, 200)
})

test('keys of a suspended or unknown agent are not added to (section 4)', async () => {
  const of = await setting()
  const added = testKey('ES256')
  const body = { jwk: added.jwk, key_statement: await statement(of, added) }
  assert.equal((await call(of.client, 'POST', `/intent/agents/${of.client_id}/nobody/keys`, body)).status, 404)
  await ctx.db.updateTable('agent').set({ status: 'suspended' }).where('client_id', '=', of.client_id).execute()
  assert.equal((await call(of.client, 'POST', `/intent/agents/${of.client_id}/planner/keys`, body)).status, 404)
  assert.deepEqual(mismatch(await register(of, added, await statement(of, added))), MISMATCH)
  assert.deepEqual(await held(of), [await jktOf(of.key)])
})

async function register(of: Setting, added: TestKey, key_statement?: string) {
  return await call(of.client, 'POST', '/intent/register/agent', {
    app_id: of.client_id,
    agent_components: { agent_id: 'planner', prompt_template: `Version ${randomUUID()}`, tools: [] },
    public_key: added.jwk,
    ...(key_statement !== undefined && { key_statement }),
  })
}

test('[attack 83] with a statement a new version adds its key at once, without one it is pending (section 4)', async () => {
  const of = await setting()
  const added = testKey('ES256')
  const pending = await register(of, testKey('ES256'))
  assert.deepEqual([pending.status, pending.body.status], [200, 'pending'])
  const bad = await register(of, added, await statement(of, added, {}, testKey('ES256')))
  assert.deepEqual(mismatch(bad), MISMATCH)
  const text = await statement(of, added)
  const active = await register(of, added, text)
  assert.deepEqual([active.status, active.body.status], [200, 'active'])
  assert.deepEqual(await held(of), [await jktOf(of.key), await jktOf(added)].sort())
  assert.deepEqual(mismatch(await register(of, added, text)), MISMATCH)
})

/** An agent whose client publishes its keys at a server that counts and answers slowly once it is told to. */
async function remoteSetting() {
  const of = await setting({ agent_keys: 'endorsed' })
  const old = testKey('ES256')
  const served = { keys: [old.jwk], idle: [] as number[] }
  const { url, seen } = await givenServer(async (_request, response) => {
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction'`.execute(ctx.db)
    served.idle.push(rows[0]?.n ?? 0)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: served.keys }))
  })
  const remote = { jwks: null, jwks_uri: url }
  await ctx.db.updateTable('client').set(remote).where('client_id', '=', of.client_id).execute()
  await ctx.remoteKeys.find(of.client_id, url)
  clock.advance(31)
  return { of, served, seen }
}

test('a key of the client that is not known yet is fetched before the transaction, never inside it (section 4)', async () => {
  const { of, served, seen } = await remoteSetting()
  const fresh = testKey('ES256')
  served.keys = [fresh.jwk]
  const added = testKey('ES256')
  const token = { resource: issuer, scope: SCOPE }
  const text = await statement(of, added, { iss: of.client_id }, fresh)
  const deployer = await givenClient(app, { registers_for: [of.client_id] })
  await accessToken(app, deployer, token)
  assert.equal((await call(deployer, 'POST', keysPath(of), { jwk: added.jwk, key_statement: text })).status, 201)
  clock.advance(31)
  const unknown = await statement(of, added, { iss: of.client_id }, testKey('ES256'))
  const refused = await call(deployer, 'POST', keysPath(of), { jwk: added.jwk, key_statement: unknown })
  assert.equal(refused.status, 401)
  assert.deepEqual([seen.requests.length, served.idle], [3, [0, 0, 0]])
  clock.advance(31)
  const vouched = { client: await storedClient(of), agent: { agent_id: 'planner', status: 'active' as const } }
  const keys = [{ jkt: await jktOf(added), jwk: { ...added.jwk, kty: 'EC' } }]
  await assert.rejects(transaction(ctx, tx => statedKeys(tx, vouched, unknown, keys)))
  assert.equal(seen.requests.length, 3)
})

test('a preview looks at a key statement with keys fetched before it, whether it shows components or not (section 4)', async () => {
  const { of, served, seen } = await remoteSetting()
  const scope = `${SCOPE} read:agent-components`
  const deployer = await givenClient(app, { registers_for: [of.client_id], access: [{ resource: issuer, scope }] })
  const agent_components = { agent_id: 'planner', prompt_template: 'You plan anew.', tools: [] }
  for (const [requests, asked] of [SCOPE, scope].entries()) {
    const [fresh, added] = [testKey('ES256'), testKey('ES256')]
    served.keys = [fresh.jwk]
    const key_statement = await statement(of, added, { iss: of.client_id }, fresh)
    const body = { app_id: of.client_id, agent_components, public_key: added.jwk, key_statement }
    const answer = await call(deployer, 'POST', '/intent/register/agent/preview', body, {}, asked)
    assert.deepEqual([answer.status, answer.body.status, answer.body.pending_for], [200, 'active', []])
    assert.equal(seen.requests.length, 2 + requests)
    clock.advance(31)
  }
  assert.deepEqual(served.idle, [0, 0, 0])
})

function keysPath({ client_id }: Setting): string {
  return `/intent/agents/${client_id}/planner/keys`
}

async function storedClient({ client_id }: Setting) {
  const client = await findClient(ctx, client_id)
  assert.ok(client)
  return client
}

test('whoever asks to remove a key that is not theirs, or not there, does not wait at the gate (section 9)', async () => {
  const of = await setting()
  const rival = await setting()
  const none = await jktOf(testKey('ES256'))
  await transaction(ctx, async tx => {
    await enterGateShared(tx)
    const theirs = await call(rival.client, 'DELETE', `${keysPath(of)}/${await jktOf(of.key)}`)
    await forgetAudit()
    const absent = await call(of.client, 'DELETE', `${keysPath(of)}/${none}`)
    assert.deepEqual([theirs.status, absent.status], [404, 404])
  })
  const audit = { outcome: 'refused', reason: 'unknown_key', client_id: of.client_id, agent_id: 'planner' }
  assert.deepEqual(await lastAudit(), { action: 'agent_key.remove', ...audit })
})

async function jwksOf(client_id: string, agent_id: string) {
  const response = await fetch(`${issuer}/intent/agents/${client_id}/${agent_id}/jwks`)
  const headers = Object.fromEntries(response.headers)
  delete headers.date
  delete headers['content-length']
  delete headers['x-request-id']
  return { status: response.status, headers, body: await jsonOf(response) }
}

test('the public JWKS of an agent: its registered keys with kid, alg and use (section 2)', async () => {
  const of = await setting()
  const rsa = testKey('PS256')
  assert.equal((await add(of, rsa, await statement(of, rsa))).status, 201)
  const { status, headers, body } = await jwksOf(of.client_id, 'planner')
  const { kty, crv, x, y } = of.key.jwk
  const { n, e } = rsa.jwk
  const expected = [
    { kty, use: 'sig', kid: await jktOf(of.key), alg: 'ES256', crv, x, y },
    { kty: 'RSA', use: 'sig', kid: await jktOf(rsa), alg: 'PS256', n, e },
  ]
  assert.deepEqual(
    [status, body],
    [200, { keys: expected.toSorted((a, b) => (String(a.kid) < String(b.kid) ? -1 : 1)) }],
  )
  assert.equal(headers['cache-control'], 'public, max-age=60')
})

test('[attack 92] an agent that is unknown, suspended, revoked, or of a dead client answers alike: no keys (section 2)', async () => {
  const of = await setting()
  const { headers } = await jwksOf(of.client_id, 'planner')
  const nothing = { status: 200, headers, body: { keys: [] } }
  assert.deepEqual(await jwksOf(of.client_id, 'nobody'), nothing)
  assert.deepEqual(await jwksOf('no-client', 'planner'), nothing)
  for (const odd of ['%01', 'a b', '..%2f', 'PLANNER', '__proto__', "'--"]) {
    assert.deepEqual(await jwksOf(of.client_id, odd), nothing, odd)
  }
  for (const status of ['suspended', 'revoked'] as const) {
    await ctx.db.updateTable('agent').set({ status }).where('client_id', '=', of.client_id).execute()
    assert.deepEqual(await jwksOf(of.client_id, 'planner'), nothing)
  }
  const dead = await setting()
  await ctx.db.updateTable('client').set({ status: 'revoked' }).where('client_id', '=', dead.client_id).execute()
  assert.deepEqual(await jwksOf(dead.client_id, 'planner'), nothing)
})
