import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMIN_SCOPES } from '../../src/protocol/own-resources.ts'
import { transaction } from '../../src/server/context.ts'
import { isOnlyAdministrator } from '../../src/server/registry/only-administrator.ts'
import { checkNewOwner } from '../../src/server/registry/owners.ts'
import { isAmong, samePerson } from '../../src/server/registry/same-person.ts'
import { enterGateShared } from '../../src/server/store/gate.ts'
import { givenServer } from '../fetch/given.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { givenAdmin, givenClient, givenResource } from '../support/given.ts'
import { adminCalls, lastAudited, somebodyWaits } from './admin-call.ts'
import { caller, refused } from './given.ts'

const app = await startTestApp()
const { issuer, ctx } = app
const ADMIN = `${issuer}/admin`
const API = 'https://api.example.com'
const admin = await givenAdmin(app)
const call = adminCalls(app, admin, ADMIN_SCOPES.join(' '))
await givenResource(app, { resource: API, scopes: [{ name: 'read' }] })
const { client_id } = await givenClient(app)
const key = await generateKey()
const PATH = '/trusted-issuers'

/** A record of purpose user that nothing is wrong with. */
function record(over: object = {}): object {
  return {
    name: 'corp',
    issuer: 'https://login.example.com',
    purpose: 'user',
    audience: 'app',
    jwks: { keys: [key.jwk] },
    algs: ['ES256'],
    clients: [client_id],
    ...over,
  }
}

function operators(over: object = {}): object {
  const access = [{ resource: ADMIN, scope: 'approve:steps' }]
  return record({ purpose: 'operator', claims: { tid: 'acme' }, access, ...over })
}

async function made(body: object): Promise<void> {
  const { status, body: answer } = await call('POST', PATH, { body })
  assert.equal(status, 201, JSON.stringify(answer))
}

test('a trusted issuer is created with its defaults, shown, listed by purpose and audited (section 6)', async () => {
  const { status, body } = await call('POST', PATH, { body: record({ clients: [client_id, client_id] }) })
  assert.equal(status, 201, JSON.stringify(body))
  assert.deepEqual(body, {
    name: 'corp',
    issuer: 'https://login.example.com',
    purpose: 'user',
    audience: 'app',
    jwks: { keys: [key.jwk] },
    jwks_uri: null,
    algs: ['ES256'],
    typs: ['JWT'],
    typ_may_be_absent: false,
    clients: [client_id],
    max_age: 300,
    claims: {},
    acr_values: [],
    access: null,
    access_by_claim: [],
    status: 'active',
    created_at: body.created_at,
    created_by: admin.client_id,
    updated_at: null,
  })
  const audited = await lastAudited(app, 'trusted_issuer.create')
  const { name, purpose } = body
  assert.deepEqual(audited.details, { name, issuer: body.issuer, purpose })
  assert.deepEqual((await call('GET', `${PATH}/corp`)).body, body)
  await made(operators({ name: 'staff' }))
  await made(record({ name: 'guests' }))
  const names = async (query: string) =>
    (await call('GET', `${PATH}${query}`)).body.items.map((row: { name: string }) => row.name)
  assert.deepEqual(await names(''), ['corp', 'guests', 'staff'])
  assert.deepEqual(await names('?purpose=operator'), ['staff'])
  const first = await call('GET', `${PATH}?limit=2`)
  assert.equal(first.body.items.length, 2)
  assert.deepEqual(await names(`?limit=2&cursor=${first.body.next_cursor}`), ['staff'])
  assert.equal((await call('GET', `${PATH}?cursor=AAAA`)).body.code, 'invalid_request')
  assert.equal((await call('GET', `${PATH}/nobody`)).status, 404)
})

test('a record that breaks a rule of section 6 is refused, with the reason in the trail', async () => {
  const other = await generateKey()
  const ours = ctx.keys.published()[0]
  const cases: readonly [string, object][] = [
    ['issuer_not_https', record({ issuer: 'http://login.example.com' })],
    ['unknown_client', record({ clients: ['nobody'] })],
    ['own_resource', record({ access: [{ resource: issuer, scope: 'register:intent' }] })],
    ['own_resource', record({ access: [{ resource: `${ADMIN}/x`, scope: 'revoke' }] })],
    ['unknown_resource', record({ access: [{ resource: 'https://nobody.example', scope: 'read' }] })],
    ['unknown_scope', record({ access: [{ resource: API, scope: 'write' }] })],
    ['own_only', operators({ access: [{ resource: API, scope: 'read' }] })],
    ['own_only', operators({ access_by_claim: [byClaim([{ resource: `${ADMIN}/`, scope: 'revoke' }])] })],
    ['unknown_scope', operators({ access: [{ resource: ADMIN, scope: 'admin:all' }] })],
    ['workload_approves', operators({ purpose: 'workload' })],
    ['workload_approves', workload([{ resource: ADMIN, scope: 'approve:agents' }])],
    ['own_key', record({ jwks: { keys: [ours] } })],
    ['private_key_sent', record({ jwks: { keys: [{ ...other.jwk, d: 'AAAA' }] } })],
    ['weak_or_unknown_key', record({ jwks: { keys: [{ kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA' }] } })],
    ['fetch_forbidden_url', record({ jwks: undefined, jwks_uri: 'http://login.example.com/jwks' })],
    ['fetch_forbidden_address', record({ jwks: undefined, jwks_uri: 'https://127.0.0.1/jwks' })],
  ]
  for (const [reason, body] of cases) {
    const { status, body: answer } = await call('POST', PATH, { body: { ...body, name: 'never' } })
    assert.deepEqual([status, answer.code], [400, 'invalid_request'], `${reason}: ${JSON.stringify(answer)}`)
    const { outcome, reason: audited } = await lastAudited(app, 'trusted_issuer.create')
    assert.deepEqual([outcome, audited], ['refused', reason])
  }
  assert.equal((await call('GET', `${PATH}/never`)).status, 404)
})

function byClaim(access: readonly object[]): object {
  return { claim: 'groups', value: 'a', access }
}

function workload(access: readonly object[]): object {
  return operators({ purpose: 'workload', access: undefined, access_by_claim: [byClaim(access)] })
}

test('a malformed record is refused before anything is looked up', async () => {
  const cases = [
    record({ name: 'local' }),
    record({ name: 'a:b' }),
    record({ issuer: 'https://login.example.com/?tenant=a' }),
    record({ issuer: 'https://user@login.example.com' }),
    record({ issuer: 'ftp://login.example.com' }),
    record({ purpose: 'root' }),
    record({ audience: '' }),
    record({ jwks_uri: 'https://login.example.com/jwks' }),
    record({ jwks: undefined }),
    record({ algs: ['none'] }),
    record({ algs: ['HS256'] }),
    record({ algs: [] }),
    record({ typs: ['application/jwt'] }),
    record({ typs: [] }),
    record({ clients: [] }),
    record({ max_age: 0 }),
    record({ max_age: 86_401 }),
    record({ claims: { iss: 'https://login.example.com' } }),
    record({ claims: { tid: { is: 'x' } } }),
    record({ claims: { 'a b': 'x' } }),
    record({ admin: true }),
    operators({ claims: {} }),
    operators({ claims: { aud: 'app' } }),
    operators({ access: undefined }),
    operators({ purpose: 'workload', claims: undefined }),
  ]
  for (const body of cases) {
    const answer = await call('POST', PATH, { body })
    assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request'], JSON.stringify(body))
  }
  for (const body of [
    {},
    { name: 'x' },
    { issuer: 'https://x.example' },
    { purpose: 'operator' },
    { status: 'active' },
  ]) {
    assert.equal((await call('PATCH', `${PATH}/corp`, { body })).status, 400, JSON.stringify(body))
  }
})

test('our own issuer is no foreign one, in whatever spelling', async () => {
  const loose = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: '1' } })
  const asRoot = adminCalls(loose, await givenAdmin(loose), 'admin:clients')
  const client = await givenClient(loose)
  for (const own of [loose.issuer, `${loose.issuer}/`, loose.issuer.replace('http', 'HTTP')]) {
    const { body } = await asRoot('POST', PATH, { body: record({ issuer: own, clients: [client.client_id] }) })
    assert.equal(body.code, 'invalid_request', own)
    assert.equal((await lastAudited(loose, 'trusted_issuer.create')).reason, 'own_issuer')
  }
  const http = record({ issuer: 'http://127.0.0.1:1', clients: [client.client_id] })
  assert.equal((await asRoot('POST', PATH, { body: http })).status, 201, 'http in development, where it is allowed')
})

test('a jwks_uri is fetched once before it is written, and what is behind it must be keys', async () => {
  const loose = await startTestApp({ env: { REMIT_ALLOW_PRIVATE_FETCH: '1' } })
  const asRoot = adminCalls(loose, await givenAdmin(loose), 'admin:clients')
  const client = await givenClient(loose)
  const good = await givenServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: [key.jwk] }))
  })
  const bad = await givenServer((_request, response) => response.end('<html>'))
  const remote = (jwks_uri: string) => record({ jwks: undefined, jwks_uri, clients: [client.client_id] })
  const { status, body } = await asRoot('POST', PATH, { body: remote(good.url) })
  assert.deepEqual([status, body.jwks, body.jwks_uri], [201, null, good.url])
  assert.deepEqual(good.seen.requests, ['GET /'])
  const refused = await asRoot('PATCH', `${PATH}/corp`, { body: { jwks_uri: bad.url } })
  assert.deepEqual([refused.status, refused.body.code], [400, 'invalid_request'])
  assert.match(refused.body.detail, /^The jwks_uri does not answer with a JWK Set/)
  const kept = await asRoot('PATCH', `${PATH}/corp`, { body: { jwks: { keys: [key.jwk] } } })
  assert.deepEqual([kept.body.jwks_uri, kept.body.jwks.keys.length], [null, 1])
})

test('a caller gives only admin scopes that its own token has, at creation and at every change (section 11)', async () => {
  const little = adminCalls(app, admin, 'admin:clients approve:steps')
  assert.equal((await little('POST', PATH, { body: operators({ name: 'steps' }) })).status, 201)
  const access = [{ resource: ADMIN, scope: 'approve:steps revoke' }]
  for (const body of [
    operators({ name: 'more', access }),
    operators({ name: 'more', access: undefined, access_by_claim: [byClaim(access)] }),
  ]) {
    const { status } = await little('POST', PATH, { body })
    assert.deepEqual([status, (await lastAudited(app, 'trusted_issuer.create')).reason], [403, 'admin_scope_not_held'])
  }
  const widened = await little('PATCH', `${PATH}/steps`, { body: { access } })
  assert.deepEqual([widened.status, widened.body.code], [403, 'forbidden'])
  // Whoever sets its keys can be anybody of it.
  await made(operators({ name: 'root', access: [{ resource: ADMIN, scope: 'admin:keys' }] }))
  for (const body of [{ jwks: { keys: [key.jwk] } }, { clients: [admin.client_id] }, { claims: { tid: 'mine' } }]) {
    assert.equal((await little('PATCH', `${PATH}/root`, { body })).status, 403, JSON.stringify(body))
  }
  const less = [{ resource: ADMIN, scope: 'approve:steps' }]
  assert.equal((await little('PATCH', `${PATH}/root`, { body: { access: less } })).status, 200, 'taking away is free')
  const others = adminCalls(app, admin, 'audit:read')
  assert.equal((await others('GET', PATH)).status, 403)
})

test('a change keeps every rule of the purpose, and the trail has before and after, keys as thumbprints', async () => {
  const fresh = await generateKey()
  await made(operators({ name: 'tended' }))
  for (const body of [{ claims: {} }, { access: null }, { access: [{ resource: API, scope: 'read' }] }]) {
    const { status } = await call('PATCH', `${PATH}/tended`, { body })
    assert.equal(status, 400, JSON.stringify(body))
  }
  const body = { max_age: 60, jwks: { keys: [fresh.jwk] }, acr_values: ['mfa'], audience: 'app' }
  const changed = await call('PATCH', `${PATH}/tended`, { body })
  assert.equal(changed.status, 200, JSON.stringify(changed.body))
  const { max_age, acr_values, claims, updated_at } = changed.body
  assert.deepEqual([max_age, acr_values, claims], [60, ['mfa'], { tid: 'acme' }])
  assert.equal(typeof updated_at, 'string')
  assert.deepEqual((await lastAudited(app, 'trusted_issuer.update')).details, {
    name: 'tended',
    changed: {
      max_age: { before: 300, after: 60 },
      acr_values: { before: [], after: ['mfa'] },
      jwks: { before: [key.jkt], after: [fresh.jkt] },
    },
  })
  const same = await call('PATCH', `${PATH}/tended`, { body: { audience: 'app' } })
  assert.equal(same.body.updated_at, updated_at, 'nothing changed')
  await made(record({ name: 'limited', access: [{ resource: API, scope: 'read' }] }))
  const freed = await call('PATCH', `${PATH}/limited`, { body: { access: null } })
  assert.deepEqual([freed.status, freed.body.access], [200, null])
})

test('what was deleted stays: shown as deleted, changed no more, its name never given out again (section 9)', async () => {
  await made(operators({ name: 'left' }))
  await made(record({ name: 'left-users' }))
  assert.equal((await call('DELETE', `${PATH}/left`)).status, 400, 'a reason is due')
  const gone = await call('DELETE', `${PATH}/left?reason=moved`)
  assert.deepEqual([gone.status, gone.body.status], [200, 'deleted'])
  assert.match(gone.body.note, /^Tokens and console sessions that it led to open nothing any more\.$/)
  assert.match(
    (await call('DELETE', `${PATH}/left-users?reason=moved`)).body.note,
    /^Executions that its people started/,
  )
  const { details } = await lastAudited(app, 'trusted_issuer.delete')
  assert.deepEqual(details, { name: 'left-users', reason: 'moved', issuer: 'https://login.example.com' })
  for (const [method, path, body] of [
    ['POST', PATH, operators({ name: 'left' })],
    ['PATCH', `${PATH}/left`, { max_age: 60 }],
    ['DELETE', `${PATH}/left?reason=again`, undefined],
  ] as const) {
    assert.deepEqual((await call(method, path, { body })).status, 409, `${method} ${path}`)
  }
  assert.equal((await call('GET', `${PATH}/left`)).body.status, 'deleted')
  const listed = (await call('GET', `${PATH}?status=deleted`)).body.items
  assert.deepEqual(
    listed.map((row: { name: string }) => row.name),
    ['left', 'left-users'],
  )
})

test('a change and a deletion wait for mints under way: both take the gate exclusively (section 9)', async () => {
  await made(record({ name: 'gated' }))
  for (const [method, path, body] of [
    ['PATCH', `${PATH}/gated`, { max_age: 60 }],
    ['DELETE', `${PATH}/gated?reason=gate`, undefined],
  ] as const) {
    let answered = false
    const asked = await transaction(ctx, async tx => {
      await enterGateShared(tx)
      const pending = call(method, path, { body }).finally(() => {
        answered = true
      })
      await somebodyWaits(app)
      assert.equal(answered, false)
      return { pending }
    })
    assert.equal((await asked.pending).status, 200)
  }
})

test('the same Idempotency-Key makes one record', async () => {
  const once = { body: record({ name: 'once' }), key: 'one-key' }
  const [first, again] = [await call('POST', PATH, once), await call('POST', PATH, once)]
  assert.deepEqual([again.status, again.body], [201, first.body])
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  const other = await call('POST', PATH, { body: record({ name: 'other' }), key: 'one-key' })
  assert.equal(other.status, 422)
})

test('whoever may come by an issuer is an administrator too: four eyes from then on, for good (section 11)', async () => {
  for (const first of ['audit:read', 'admin:clients']) {
    const alone = await startTestApp()
    const asRoot = adminCalls(alone, await givenAdmin(alone), ADMIN_SCOPES.join(' '))
    const only = () => transaction(alone.ctx, isOnlyAdministrator)
    const { client_id } = await givenClient(alone)
    const by = (scope: string) => ({ access_by_claim: [byClaim([{ resource: `${alone.issuer}/admin`, scope }])] })
    const body = operators({ name: 'people', access: undefined, clients: [client_id], ...by(first) })
    assert.equal((await asRoot('POST', PATH, { body })).status, 201)
    assert.equal(await only(), first === 'audit:read')
    assert.equal((await asRoot('PATCH', `${PATH}/people`, { body: by('approve:agents') })).status, 200)
    assert.equal(await only(), false)
    await asRoot('DELETE', `${PATH}/people?reason=gone`)
    assert.equal(await only(), false)
  }
})

test('two names are one person where the issuer behind them and the sub are the same (sections 4 and 6)', async () => {
  await made(record({ name: 'day' }))
  await made(operators({ name: 'night' }))
  await made(record({ name: 'elsewhere', issuer: 'https://other.example.com' }))
  const same: readonly [string, string, boolean][] = [
    ['user:day:42', 'user:day:42', true],
    ['user:day:42', 'user:night:42', true],
    ['user:night:42', 'user:day:42', true],
    ['user:day:42', 'user:night:43', false],
    ['user:day:42', 'user:elsewhere:42', false],
    ['user:day:42', 'user:unknown:42', false],
    ['user:unknown:42', 'user:nobody:42', false],
    ['user:local:42', 'user:day:42', false],
    ['user:local:anna', 'user:local:anna', true],
    ['user:day:a:b', 'user:night:a:b', true],
    ['agent:app:42', 'user:day:42', false],
    ['app', 'app', true],
  ]
  for (const [a, b, expected] of same) assert.equal(await samePerson(ctx, a, b), expected, `${a} ${b}`)
  assert.equal(await isAmong(ctx, 'user:day:42', [null, 'app', 'user:night:7', 'user:night:42']), true)
  assert.equal(await isAmong(ctx, 'user:day:42', [null, 'app', 'user:night:7', 'user:elsewhere:42']), false)
  assert.equal(await isAmong(ctx, 'user:day:42', []), false)
  await call('DELETE', `${PATH}/night?reason=closed`)
  assert.equal(await samePerson(ctx, 'user:day:42', 'user:night:42'), true, 'a deleted record still names its people')
})

test('nobody takes clients for themselves under another of their names (section 11)', async () => {
  await made(record({ name: 'sun' }))
  await made(record({ name: 'moon' }))
  await givenAdmin(app)
  const asEve = caller({ acting_owner: 'user:sun:eve' })
  assert.deepEqual(await refused(checkNewOwner(ctx, asEve, 'user:moon:eve')), {
    code: 'forbidden',
    reason: 'own_takeover',
  })
  await checkNewOwner(ctx, asEve, 'user:moon:anna')
})
